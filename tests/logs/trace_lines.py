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
