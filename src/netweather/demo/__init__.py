"""`netweather demo`: a small web shop on five networks, built from `Lab`; about a minute, and nothing is left behind.

Customers buy in a shop that charges them by a payment service (HTTP over TCP). The networks change under open connections.
Requested and measured values stand side by side, and slow answers show the shop that charges twice.
"""
