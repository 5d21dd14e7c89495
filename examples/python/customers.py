#!/usr/bin/env python3
"""The life of a customer over XML-RPC with Digest. Needs nothing but Python 3."""
import os
import sys
import time
import urllib.error
import urllib.request
import xmlrpc.client

URL = os.environ.get('TREELINE_URL', 'http://127.0.0.1:8080/xmlapi/xmlapi')
LOGIN = os.environ.get('TREELINE_LOGIN', 'root')
PASSWORD = os.environ.get('TREELINE_PASSWORD', '')


class DigestTransport(xmlrpc.client.Transport):
    """xmlrpc.client itself knows Basic only; urllib knows Digest."""

    def __init__(self):
        super().__init__()
        passwords = urllib.request.HTTPPasswordMgrWithDefaultRealm()
        passwords.add_password(None, URL, LOGIN, PASSWORD)
        self.opener = urllib.request.build_opener(urllib.request.HTTPDigestAuthHandler(passwords))

    def request(self, host, handler, request_body, verbose=False):
        self.verbose = verbose
        request = urllib.request.Request(URL, request_body, {'Content-Type': 'text/xml'})
        with self.opener.open(request, timeout=30) as response:
            return self.parse_response(response)


def main():
    # allow_none: nil clears an attribute.
    api = xmlrpc.client.ServerProxy(URL, transport=DigestTransport(), allow_none=True)
    name = f'python-example-{time.time_ns()}'

    created = api.createCustomer({
        'name': name,
        'web_password': 'correct-horse-1',
        'i_tariff': 1,
        'balance': 25.5,
        'description': 'Made by an example',
    })
    print('createCustomer:', created)
    i_customer = created['i_customer']

    customer = api.getCustomerInfo({'i_customer': i_customer})['customer']
    print('getCustomerInfo:', customer['name'], customer['balance'], customer['base_currency'])

    print('updateCustomer:', api.updateCustomer({
        'i_customer': i_customer,
        'company_name': 'Smith & Sons',
        'description': None,
    }))

    for item in api.listCustomers({'name_pattern': name})['customers']:
        print('listCustomers:', item['i_customer'], item['name'], item['balance'])

    print('authCustomer:', api.authCustomer({'username': name, 'password': 'correct-horse-1'}))

    one_time = api.resetCustomerOneTimePassword({'web_login': name})['password']
    print('resetCustomerOneTimePassword:', one_time)

    # A one-time password answers fault 410: it was right, and a new password must be set now.
    try:
        api.authCustomer({'username': name, 'password': one_time})
    except xmlrpc.client.Fault as fault:
        print('authCustomer: fault', fault.faultCode, fault.faultString)
        if fault.faultCode != 410:
            raise

    print('deleteCustomer:', api.deleteCustomer({'i_customer': i_customer}))


try:
    main()
except xmlrpc.client.Fault as fault:
    sys.exit(f'Fault {fault.faultCode}: {fault.faultString}')
except urllib.error.URLError as error:
    sys.exit(f'{URL}: {error}')
