"""What is built in an afternoon in Python: xmlrpc.server with a thread for each connection, and psycopg2. No
authentication, no rights. Its first argument is a JSON of host, port, user, database and columns."""

import decimal
import json
import socketserver
import sys
import threading
from xmlrpc.client import Marshaller
from xmlrpc.server import SimpleXMLRPCRequestHandler, SimpleXMLRPCServer

import psycopg2

task = json.loads(sys.argv[1])
statement = "SELECT " + ", ".join(task["columns"]) + " FROM customers WHERE i_customer = %s"
local = threading.local()

Marshaller.dispatch[decimal.Decimal] = lambda self, value, write: self.dump_double(float(value), write)


class Handler(SimpleXMLRPCRequestHandler):
    # Connections are kept alive, as all others here keep them.
    protocol_version = "HTTP/1.1"


class Server(socketserver.ThreadingMixIn, SimpleXMLRPCServer):
    daemon_threads = True
    request_queue_size = 128


def get_customer_info(params):
    if not hasattr(local, "connection"):
        local.connection = psycopg2.connect(
            host=task["host"], port=task["port"], user=task["user"], dbname=task["database"]
        )
        local.connection.autocommit = True
    with local.connection.cursor() as cursor:
        cursor.execute(statement, (params["i_customer"],))
        return {"result": "OK", "customer": dict(zip(task["columns"], cursor.fetchone()))}


server = Server(("127.0.0.1", 0), Handler, logRequests=False, allow_none=True)
server.register_function(get_customer_info, "getCustomerInfo")
print(f"listens on http://127.0.0.1:{server.server_address[1]}/", flush=True)
server.serve_forever()
