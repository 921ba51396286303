"""Lines of records that take several, of every kind that the rules know."""

from __future__ import annotations

HEAD = "2025-03-10 08:00:01,253 "
"""A head that the preset iso8601 takes off."""

JAVA = """\
2025-03-10 08:01:00,038 ERROR order rejected
java.lang.IllegalStateException: no stock for 4711
\tat com.example.shop.Cart.total(Cart.java:3)
\tat java.base/java.net.Socket.write(Socket.java:77) ~[na:17]
\t... 14 common frames omitted
Caused by: java.io.IOException: broken pipe
\tat com.example.shop.Cart.total(Cart.java:4)
\t... 3 more
"""
PYTHON = """\
2025-03-10 08:01:00,038 ERROR order rejected
Traceback (most recent call last):
  File "/srv/shop/orders.py", line 118, in place
    stock.take(item)
    ~~~~~~~~~~^^^^^^
KeyError: 4711

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "/srv/shop/stock.py", line 40, in take
    raise shop.OutOfStock(item)
shop.stock.OutOfStock: 4711
"""
PYTHON_GROUP = """\
2025-03-10 08:01:00,038 ERROR several failed
  + Exception Group Traceback (most recent call last):
  |   File "/srv/shop/orders.py", line 7, in <module>
  |     raise ExceptionGroup("many", [ValueError(1)])
  | ExceptionGroup: many (1 sub-exception)
  +-+---------------- 1 ----------------
    | ValueError: 1
    +------------------------------------
"""
GO = """\
panic: runtime error: index out of range [4] with length 3 [recovered]
[signal SIGSEGV: segmentation violation code=0x1 addr=0x0 pc=0x4a2b]

goroutine 17 [running]:
main.(*Shop).place(0xc00001c0a8, {0x4, 0x5})
\t/srv/shop/orders.go:118 +0x1d
created by main.serve in goroutine 1
\t/srv/shop/main.go:40 +0x9f
exit status 2
"""
NODE = """\
/srv/shop/orders.js:118
    throw new Error('no stock');
    ^

Error: no stock
    at place (/srv/shop/orders.js:118:11)
    at async handle (/srv/shop/api.js:61:5) {
  code: 'E_STOCK',
  [cause]: Error: broken pipe
      at connect (node:net:12:3)
}

Node.js v22.11.0
"""
RUBY = """\
/srv/shop/orders.rb:118:in `place': no stock (Shop::StockError)
\tfrom /srv/shop/api.rb:61:in `block in handle'
\tfrom /srv/shop/api.rb:60:in 'Shop::Api#each'
/srv/shop/api.rb:59:in `handle'
"""
DOTNET = """\
fail: Acme.Shop.OrdersService[0]
      order rejected
      Acme.Shop.StockException: no stock
       ---> System.IO.IOException: broken pipe
         at Acme.Shop.Stock.Take(Int32 id) in /srv/shop/Stock.cs:line 40
         --- End of inner exception stack trace ---
         at Acme.Shop.Orders.Place(Int32 id) in /srv/shop/Orders.cs:line 118
info: Acme.Shop.OrdersService[14]
      order placed
"""
JAVA_UTIL = """\
Mar 07, 2025 4:05:09 PM com.example.shop.Peer connect
WARNING: peer is slow
Mar 07, 2025 4:05:10 PM com.example.shop.Peer close
INFO: closed
"""
RUST = """\
thread 'worker-3' panicked at src/orders.rs:118:9:
no stock for 4711
stack backtrace:
   0: rust_begin_unwind
             at /rustc/9f1c/library/std/src/panicking.rs:662:5
   1: shop::orders::place
note: Some details are omitted, run with `RUST_BACKTRACE=full` for a verbose backtrace.
"""
PHP = """\
PHP Fatal error:  Uncaught StockError: no stock in /srv/www/orders.php:118
Stack trace:
#0 /srv/www/api.php(61): place(4711)
#1 [internal function]: run()
#2 {main}
  thrown in /srv/www/orders.php on line 118
"""
POSTGRES = """\
ERROR:  column "stok" does not exist at character 8
HINT:  Perhaps you meant to reference the column "orders.stock".
STATEMENT:  select stok
\tfrom orders
\twhere id = 4711
"""
PLAIN = """\
2025-03-10 08:00:01,253 INFO worker 3 started
kernel panic - not syncing
    an indented line
 x

2025-03-10 08:00:02,253 INFO Traceback (most recent call last):
"""
ALL = (
    *(JAVA, PYTHON, PYTHON_GROUP, GO, NODE, RUBY, DOTNET, JAVA_UTIL, RUST, PHP, POSTGRES),
    PLAIN,
)

#: More traces as they are without heads, each with the numbers of the lines that are events.
BARE: dict[str, tuple[str, list[int]]] = {
    "go crash": (
        """\
fatal error: fault
[signal SIGSEGV: segmentation violation code=0x1 addr=0x0 pc=0x4a2b]

runtime stack:
runtime.throw({0x4, 0x5})
\t/go/src/runtime/panic.go:1047 +0x5d fp=0xc0 sp=0xc1 pc=0x43
goroutine 1 [running]:
panic({0x4, 0x5})
\t/go/src/runtime/panic.go:884
...17 frames elided...
created by main.main
\t/srv/shop/main.go:40 +0x9f

rax    0x0
rflags 0x286
restarted(2)
""",
        [1, 16],
    ),
    "node rejection": (
        """\
node:internal/process/promises:288
            triggerUncaughtException(err, true /* fromPromise */);
            ^

[UnhandledPromiseRejection: no stock] {
  code: 'ERR_UNHANDLED_REJECTION'
}
Error [ERR_STOCK]: none
    at new Shop (/srv/shop/orders.js:118:11)
    ... 4 lines matching cause stack trace ...
    at async Promise.all (index 0)
    at Array.map (<anonymous>) {
  [cause]: Error: inner
}
Uncaught TypeError: no stock
listening
""",
        [5, 8, 13, 15, 16],
    ),
    "ruby highlights": (
        """\
orders.rb:118:in 'Integer#/': divided by 0 (ZeroDivisionError)

    total / 0
          ^
\tfrom orders.rb:61:in 'place'
\tfrom orders.rb:3
listening
""",
        [1, 7],
    ),
    "dotnet": (
        """\
Unhandled Exception: Npgsql.PostgresException (0x80004005): 23505: duplicate key
 ---> (Inner Exception #1) System.Net.Sockets.SocketException (111): Connection refused
   bei Acme.Shop.Place() in C:\\shop\\Orders.cs:Zeile 118.
   at lambda_method(Closure , Object )
   at <ScriptBlock>, C:\\shop\\run.ps1: line 4
--- End of stack trace from previous location ---
listening
""",
        [1, 2, 7],
    ),
    "loguru": (
        """\
listening
Traceback (most recent call last):
> File "/srv/shop/orders.py", line 118, in place
    stock.take(item)
    └ <function take at 0x7f>
KeyError: 4711
""",
        [1, 6],
    ),
    "nested groups": (
        """\
  + Exception Group Traceback (most recent call last):
  | ExceptionGroup: outer (2 sub-exceptions)
  +-+---------------- 1 ----------------
    | ExceptionGroup: inner (1 sub-exception)
    +-+---------------- 1 ----------------
      | shop.OutOfStock: 4711
      | and a note
      +------------------------------------
    +---------------- 2 ----------------
    | ValueError: 1
    +------------------------------------
listening
""",
        [2, 4, 6, 10, 12],
    ),
    "php": (
        """\
PHP Warning:  no stock in /srv/www/orders.php on line 118
PHP Stack trace:
PHP   1. {main}() /srv/www/api.php:0
PHP  12. place() /srv/www/orders.php:118
Next RuntimeException: late in /srv/www/orders.php:5
listening
""",
        [1, 5, 6],
    ),
    "java": (
        """\
Wrapped by: java.lang.IllegalStateException: late
\tat com.example.shop.Cart.total(Cart.java:3) [shop.jar:1.4]
\t... 3 frames truncated (including 2 common frames)
\tat .<init>(<console>:12)
""",
        [1],
    ),
    "rust": ("Stack backtrace:\n   0: anyhow::error::msg\n             at /a.rs:1:2\nup\n", [4]),
    # Whatever looks like a trace and is none.
    "no traces": (
        """\
   at /mnt/backup (ext4, rw)
   at 10:00 (UTC)
   at 5 [room 3]
   at 10.0.0.1(eth0)
#2 job(5): failed
--- End of batch 12 ---
node:10
node:web-1:8080
joined the cluster
  ... and 12 more
\tmain.go:12: undefined: x
goroutine 5 is late
restarted(2)
rax    0x12
...3 frames elided...
PHP   is late
Error (5)
Stack trace: none
""",
        list(range(1, 19)),
    ),
}
