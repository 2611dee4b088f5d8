# A guest of 239 bytes. It counts its boots in the second sector of its disk and says the number on the serial line;
# counts the keys it is sent there, in memory; lets go of every device that is to be unplugged; and turns itself off when
# the power button is pressed or the key is `q`. It runs on q35 machines.
#
#   as --32 boot_sector.S -o boot_sector.o && ld -m elf_i386 -Ttext 0x7c00 --oformat binary boot_sector.o -o boot_sector

.code16
.globl _start
_start:
  cli
  cld
  xorw %ax, %ax
  movw %ax, %ds
  movw %ax, %es
  movw %ax, %ss
  movw $0x7c00, %sp
  movw $nmi, 8
  movw %ax, 10
  movb $0, %dh
  movw %dx, drive
  movw $0x0201, %ax
  movw $2, %cx
  movw $0x8000, %bx
  int $0x13
  incb 0x8000
  movw $0x0301, %ax
  movw $2, %cx
  movw drive, %dx
  movw $0x8000, %bx
  int $0x13
  movw $word, %si
  call print
  movw $boot, %si
  call print
  movb 0x8000, %al
  call digit
  movw $0x602, %dx
  inw %dx, %ax
  orb $1, %ah
  outw %ax, %dx
  sti
loop:
  hlt
  movw $0x600, %dx
  inw %dx, %ax
  testb $1, %ah
  jnz off
  xorl %ecx, %ecx
bus:
  movw $0xcd0, %dx
  movl %ecx, %eax
  outl %eax, %dx
  movw $0xcc4, %dx
  inl %dx, %eax
  testl %eax, %eax
  jz next
  movw $0xcc8, %dx
  outl %eax, %dx
next:
  incw %cx
  cmpw $48, %cx
  jb bus
  movw $0x3fd, %dx
  inb %dx, %al
  testb $1, %al
  jz loop
  movw $0x3f8, %dx
  inb %dx, %al
  cmpb $'q', %al
  je off
  incb keys
  movw $key, %si
  call print
  movb keys, %al
  call digit
  jmp loop
off:
  movw $bye, %si
  call print
  movw $0x604, %dx
  movw $0x2000, %ax
  outw %ax, %dx
  cli
  hlt
nmi:
  pushaw
  movw $hit, %si
  call print
  popaw
  iretw
digit:
  addb $'0', %al
  call put
  movb $'\n', %al
put:
  movw $0x3f8, %dx
  outb %al, %dx
  ret
print:
  lodsb
  testb %al, %al
  jz 1f
  call put
  jmp print
1: ret
keys: .byte 0
drive: .word 0
boot: .asciz " boot "
key: .asciz "key "
bye: .asciz "bye\n"
hit: .asciz "nmi\n"
word: .asciz "guest"
