#!/usr/bin/env node
// The life of a customer over XML-RPC. Needs the npm package xmlrpc. It has no Digest, so this uses
// Basic, which Treeline accepts from its own host, and from elsewhere over TLS.
'use strict';
const xmlrpc = require('xmlrpc');

const url = new URL(process.env.TREELINE_URL || 'http://127.0.0.1:8080/xmlapi/xmlapi');
const login = process.env.TREELINE_LOGIN || 'root';
const password = process.env.TREELINE_PASSWORD || '';

const create = url.protocol === 'https:' ? xmlrpc.createSecureClient : xmlrpc.createClient;
const client = create({
  host: url.hostname,
  port: Number(url.port || (url.protocol === 'https:' ? 443 : 80)),
  path: url.pathname,
  basic_auth: { user: login, pass: password },
});

/** A fault rejects with an error that has faultCode and faultString. */
const call = (method, params = {}) =>
  new Promise((resolve, reject) => {
    client.methodCall(method, [params], (error, result) => (error ? reject(error) : resolve(result)));
  });

async function main() {
  const name = `node-example-${Date.now()}`;

  const created = await call('createCustomer', {
    name,
    web_password: 'correct-horse-1',
    i_tariff: 1,
    balance: 25.5,
    description: 'Made by an example',
  });
  console.log('createCustomer:', created);
  const { i_customer } = created;

  const { customer } = await call('getCustomerInfo', { i_customer });
  console.log('getCustomerInfo:', customer.name, customer.balance, customer.base_currency);

  // null goes out as nil, which clears an attribute.
  const changes = { i_customer, company_name: 'Smith & Sons', description: null };
  console.log('updateCustomer:', await call('updateCustomer', changes));

  const { customers } = await call('listCustomers', { name_pattern: name });
  for (const item of customers) console.log('listCustomers:', item.i_customer, item.name, item.balance);

  console.log('authCustomer:', await call('authCustomer', { username: name, password: 'correct-horse-1' }));

  const { password: oneTime } = await call('resetCustomerOneTimePassword', { web_login: name });
  console.log('resetCustomerOneTimePassword:', oneTime);

  // A one-time password answers fault 410: it was right, and a new password must be set now.
  const fault = await call('authCustomer', { username: name, password: oneTime }).catch((error) => error);
  if (fault.faultCode !== 410) throw new Error('A one-time password must answer fault 410');
  console.log('authCustomer: fault', fault.faultCode, fault.faultString);

  console.log('deleteCustomer:', await call('deleteCustomer', { i_customer }));
}

main().catch((error) => {
  if (error.faultCode !== undefined) console.error(`Fault ${error.faultCode}: ${error.faultString}`);
  else if (error.res?.statusCode === 401) console.error(`${url.href}: HTTP 401, wrong login or password`);
  else console.error(`${url.href}: ${error.message}`);
  process.exitCode = 1;
});
