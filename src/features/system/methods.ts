/** The calls that tell about the API itself, and the one that makes many calls at once. */
import type { Core } from '../../core/call/dispatch';
import { type Method, defineMethod } from '../../core/call/method';
import { any, list, struct, text } from '../../core/schema/schema';
import type { Value } from '../../core/schema/values';
import { Fault } from '../../base/faults';
import { helpOf, signaturesOf } from './help';
import { multicall, multicallLimit } from './multicall';

const nameParam = struct({ method_name: text(64, 'The name of a method.') });

/** What every one of them has: nobody needs a right to ask about the API. */
const common = { right: 'none', trusted: 'never' } as const;

/** They need the whole: `core` is asked for when a call comes, because it is made after its methods. */
export const systemMethods = (core: () => Core): readonly Method[] => [
  ...introspection(core),
  multicallMethod(core),
];

function introspection(core: () => Core): readonly Method[] {
  const find = (name: string): Method => {
    const registered = core().registry.get(name);
    if (!registered) throw new Fault('no_such_method', `There is no method ${name}`);
    return registered.method;
  };
  return [
    defineMethod({
      ...common,
      access: 'read',
      name: 'system.listMethods',
      summary: 'Lists the names of all methods.',
      params: struct({}),
      result: list(text(64, 'A name.'), 'The names, in order of the alphabet.'),
      faults: [],
      run: () => Promise.resolve([...core().registry.keys()].sort()),
    }),
    defineMethod({
      ...common,
      access: 'read',
      name: 'system.methodHelp',
      summary: 'Says what a method does, what it takes, what it answers, and how it fails.',
      params: nameParam,
      positional: ['method_name'],
      result: text(65_536, 'The help.'),
      faults: ['no_such_method'],
      run: (_call, { method_name }) => Promise.resolve(helpOf(find(method_name))),
    }),
    defineMethod({
      ...common,
      access: 'read',
      name: 'system.methodSignature',
      summary:
        'Answers the signatures of a method: for each, the type of the result and those of the parameters.',
      params: nameParam,
      positional: ['method_name'],
      result: list(list(text(64, 'A type.'), 'A signature.'), 'The signatures.'),
      faults: ['no_such_method'],
      run: (_call, { method_name }) => Promise.resolve(signaturesOf(find(method_name))),
    }),
    defineMethod({
      ...common,
      access: 'read',
      name: 'system.getCapabilities',
      summary: 'Answers which specifications the server keeps to.',
      params: struct({}),
      result: any('A struct of specUrl and specVersion for each.'),
      faults: [],
      run: () => Promise.resolve(capabilities),
    }),
  ];
}

const multicallMethod = (core: () => Core): Method =>
  defineMethod({
    ...common,
    access: 'read',
    name: 'system.multicall',
    summary: `Makes up to ${multicallLimit} calls, each in a transaction of its own; a failing one does not end the others.`,
    params: struct({ calls: list(any('methodName and params.'), 'The calls.') }),
    positional: ['calls'],
    result: any(
      'For each call an array of its one result, or a struct of faultCode and faultString.',
      'array',
    ),
    faults: [],
    cost: 'members',
    run: (call, { calls }) => multicall(core(), call, calls as Value[]),
  });

const capabilities = {
  xmlrpc: { specUrl: 'http://xmlrpc.com/spec.md', specVersion: 1 },
  introspection: { specUrl: 'http://xmlrpc-c.sourceforge.net/introspection.html', specVersion: 1 },
  'system.multicall': { specUrl: 'http://www.xmlrpc.com/discuss/msgReader$1208', specVersion: 1 },
  nil: { specUrl: 'http://ontosys.com/xml-rpc/extensions.php', specVersion: 1 },
  faults_interop: {
    specUrl: 'http://xmlrpc-epi.sourceforge.net/specs/rfc.fault_codes.php',
    specVersion: 20010516,
  },
};
