"""Prints the status of a GET to each address given."""

import sys, urllib.error, urllib.request

for url in sys.argv[1:]:
    try:
        print(urllib.request.urlopen(url, timeout=10).status)
    except urllib.error.HTTPError as error:
        print(error.code)
