#!/bin/sh
# Tells every visitor who answers, and what is in the store.
mkdir -p /run/web/cgi-bin
cat > /run/web/cgi-bin/index.cgi <<'END'
#!/bin/sh
printf 'Content-Type: text/plain\r\n\r\n'
echo "$(hostname) sells $(wget -q -O - http://10.77.2.10:5432/stock)"
END
chmod +x /run/web/cgi-bin/index.cgi
httpd -p 8080 -h /run/web
