"""The daemon's HTTP/1.1 front on its Unix socket: server, routes, handlers, who may do what."""
