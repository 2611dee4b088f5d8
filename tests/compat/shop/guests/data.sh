#!/bin/sh
# Keeps the store on the volume, which comes when the server is up already, and may have been here before.
(
  tries=0
  until [ -b /dev/vdb ] || [ $tries -ge 300 ]; do
    sleep 1
    tries=$((tries + 1))
  done
  blkid /dev/vdb > /dev/null || mke2fs -q -F /dev/vdb
  mkdir -p /run/store
  mount /dev/vdb /run/store
  [ -e /run/store/stock ] || echo apples > /run/store/stock
  httpd -p 5432 -h /run/store
) > /dev/null 2>&1 &
