/** Callers as they come, with Digest over a live connection: the right password gets in, a wrong one does not. */
import { type Command, findCurl, findPerl, findPhp, findPython, run } from '../setup/programs';
import { type TestServer, rootPassword, startServer } from '../setup/server';

let server: TestServer;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.close());

interface Live {
  readonly find: () => Promise<Command | undefined>;
  /** Words that come before the program. */
  readonly flags?: readonly string[];
  /**
   * The program, or the words of the command. It takes URL, LOGIN and PASSWORD from the environment, asks for
   * root twice and prints the answers.
   */
  readonly program: string;
}

const body =
  '<?xml version="1.0"?><methodCall><methodName>getCustomerInfo</methodName><params><param><value><struct><member>' +
  '<name>name</name><value><string>root</string></value></member></struct></value></param></params></methodCall>';

const pythonHead = `
import os, sys, xmlrpc.client
url, login, password = os.environ['URL'], os.environ['LOGIN'], os.environ['PASSWORD']
body = xmlrpc.client.dumps(({'name': 'root'},), 'getCustomerInfo')
def show(status, answer):
    if status != 200: sys.exit('HTTP %d' % status)
    print(xmlrpc.client.loads(answer)[0][0]['customer']['name'])
`;

const callers: Readonly<Record<string, Live>> = {
  'curl --digest': {
    find: async () => (await findCurl()) && ['sh'],
    flags: ['-c'],
    program: `for i in 1 2; do
      curl --silent --show-error --fail --digest --user "$LOGIN:$PASSWORD" --data '${body}' "$URL" || exit 1
    done`,
  },
  'curl --anyauth': {
    find: async () => (await findCurl()) && ['sh'],
    flags: ['-c'],
    program: `for i in 1 2; do
      curl --silent --show-error --fail --anyauth --user "$LOGIN:$PASSWORD" --data '${body}' "$URL" || exit 1
    done`,
  },
  'Python urllib': {
    find: () => findPython('xmlrpc.client'),
    flags: ['-c'],
    program: `${pythonHead}
import urllib.request
passwords = urllib.request.HTTPPasswordMgrWithDefaultRealm()
passwords.add_password(None, url, login, password)
opener = urllib.request.build_opener(urllib.request.HTTPDigestAuthHandler(passwords))
for _ in range(2):
    with opener.open(urllib.request.Request(url, body.encode(), {'Content-Type': 'text/xml'})) as answer:
        show(answer.status, answer.read())
`,
  },
  'Python httplib2': {
    find: () => findPython('xmlrpc.client', 'httplib2'),
    flags: ['-c'],
    program: `${pythonHead}
import httplib2
http = httplib2.Http()
http.add_credentials(login, password)
for _ in range(2):
    response, answer = http.request(url, 'POST', body=body, headers={'Content-Type': 'text/xml'})
    show(response.status, answer)
`,
  },
  'Python requests': {
    find: () => findPython('xmlrpc.client', 'requests'),
    flags: ['-c'],
    program: `${pythonHead}
import requests
session = requests.Session()
session.auth = requests.auth.HTTPDigestAuth(login, password)
for _ in range(2):
    answer = session.post(url, data=body, headers={'Content-Type': 'text/xml'})
    show(answer.status_code, answer.content)
`,
  },
  'PHP curl': {
    find: () => findPhp('curl', 'xmlrpc'),
    flags: ['-r'],
    program: `
      $curl = curl_init(getenv('URL'));
      for ($i = 0; $i < 2; $i++) {
        curl_setopt_array($curl, [
          CURLOPT_HTTPAUTH => CURLAUTH_DIGEST,
          CURLOPT_USERPWD => getenv('LOGIN') . ':' . getenv('PASSWORD'),
          CURLOPT_POSTFIELDS => xmlrpc_encode_request('getCustomerInfo', [['name' => 'root']]),
          CURLOPT_RETURNTRANSFER => true,
        ]);
        $answer = curl_exec($curl);
        if (curl_getinfo($curl, CURLINFO_RESPONSE_CODE) !== 200) exit(1);
        echo xmlrpc_decode($answer)['customer']['name'], "\\n";
      }`,
  },
  'Perl RPC::XML': {
    find: () => findPerl('RPC::XML', 'RPC::XML::Client'),
    flags: ['-MRPC::XML', '-MRPC::XML::Client', '-e'],
    program: `
      my $client = RPC::XML::Client->new($ENV{URL});
      $client->credentials('Treeline', $ENV{LOGIN}, $ENV{PASSWORD});
      for (1, 2) {
        my $answer = $client->send_request('getCustomerInfo', { name => 'root' });
        exit 1 unless ref $answer && !$answer->is_fault;
        print $answer->value->{customer}{name}, "\\n";
      }`,
  },
  'Perl Frontier': {
    find: () => findPerl('Frontier::Client'),
    flags: ['-MFrontier::Client', '-e'],
    program: `
      my $client = Frontier::Client->new(url => $ENV{URL});
      my ($host) = $ENV{URL} =~ m{//([^/]+)};
      $client->{ua}->credentials($host, 'Treeline', $ENV{LOGIN}, $ENV{PASSWORD});
      for (1, 2) {
        # Frontier knows no nil, and getCustomerInfo answers some.
        my $answer = eval { $client->call('listCustomers', { limit => 0 }) } or exit 1;
        print "root: $answer->{result}\\n";
      }`,
  },
  'Node.js': {
    find: () => Promise.resolve([process.execPath] as const),
    flags: ['-e'],
    program: `
      const { createHash } = require('node:crypto');
      const { URL: url, LOGIN: login, PASSWORD: password } = process.env;
      const hash = (text) => createHash('sha256').update(text).digest('hex');
      const post = (headers) => fetch(url, { method: 'POST', body: ${JSON.stringify(body)}, headers });
      (async () => {
        const challenge = (await post({})).headers.get('www-authenticate');
        const nonce = /nonce="([^"]+)", algorithm=SHA-256/.exec(challenge)[1];
        const { pathname } = new URL(url);
        const ha1 = hash(login + ':Treeline:' + password);
        for (const nc of ['00000001', '00000002']) {
          const response = hash([ha1, nonce, nc, 'mine', 'auth', hash('POST:' + pathname)].join(':'));
          const fields = { username: login, realm: 'Treeline', nonce, uri: pathname, cnonce: 'mine', response };
          const quoted = Object.entries(fields).map(([name, value]) => name + '="' + value + '"').join(', ');
          const authorization = 'Digest ' + quoted + ', algorithm=SHA-256, qop=auth, nc=' + nc;
          const answer = await post({ authorization });
          if (answer.status !== 200) process.exit(1);
          console.log(await answer.text());
        }
      })();`,
  },
};

test.each(Object.entries(callers))(
  '%s gets in with the right password, and not with a wrong one',
  async (name, caller) => {
    const command = await caller.find();
    if (!command) return;
    const words = [...(caller.flags ?? []), caller.program];
    const runAs = (LOGIN: string, PASSWORD: string) =>
      run(command, words, { environment: { URL: `${server.url}/xmlapi/xmlapi`, LOGIN, PASSWORD } });

    const right = await runAs('root', rootPassword);
    expect([right.err, right.code]).toEqual(['', 0]);
    expect(right.out.match(/\broot\b/g)?.length).toBeGreaterThanOrEqual(2);

    // Nobody of its own for each caller: twenty wrong passwords for one login would lock the others out.
    const wrong = await runAs(`nobody ${name}`, 'wrong-password');
    expect(wrong.code).not.toBe(0);
    expect(wrong.out).toBe('');
  },
);

test('a wrong password for a login that exists is refused too', async () => {
  const caller = callers['curl --digest'];
  const command = await caller?.find();
  if (!caller || !command) return;
  const environment = { URL: `${server.url}/RPC2`, LOGIN: 'root', PASSWORD: 'wrong-password' };
  const { code, out, err } = await run(command, [...(caller.flags ?? []), caller.program], { environment });
  expect([code, out]).toEqual([1, '']);
  expect(err).toContain('401');
});
