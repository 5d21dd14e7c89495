/** The list of docs/tests.md: every test file with its purpose, and the rules that its tests state in their titles. */
import { readFileSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import ts from 'typescript';

const root = dirname(dirname(__dirname));

interface Rule {
  readonly depth: number;
  readonly title: string;
}

/** `describe`, `test` or `it`, also behind `.each(…)`. */
function runnerOf(call: ts.CallExpression): string | undefined {
  let callee: ts.Node = call.expression;
  while (!ts.isIdentifier(callee)) {
    if (ts.isCallExpression(callee) || ts.isPropertyAccessExpression(callee)) callee = callee.expression;
    else if (ts.isTaggedTemplateExpression(callee)) callee = callee.tag;
    else return undefined;
  }
  return ['describe', 'test', 'it'].includes(callee.text) ? callee.text : undefined;
}

/** The text of a title. Values that it contains are shown as `…`; of two titles the first one counts. */
function titleIn(node: ts.Node | undefined): string | undefined {
  if (node === undefined) return undefined;
  if (ts.isStringLiteralLike(node)) return node.text;
  if (ts.isTemplateExpression(node))
    return node.head.text + node.templateSpans.map(({ literal }) => `…${literal.text}`).join('');
  return ts.isConditionalExpression(node) ? titleIn(node.whenTrue) : undefined;
}

function rulesIn(source: ts.SourceFile): Rule[] {
  const rules: Rule[] = [];
  const visit = (node: ts.Node, depth: number): void => {
    const title =
      ts.isCallExpression(node) && runnerOf(node) !== undefined ? titleIn(node.arguments[0]) : undefined;
    if (title !== undefined) rules.push({ depth, title });
    ts.forEachChild(node, (child) => {
      visit(child, title === undefined ? depth : depth + 1);
    });
  };
  visit(source, 0);
  return rules;
}

const escaped = (text: string): string => text.replaceAll(/[<*[\]]/g, '\\$&').replaceAll(/\s+/g, ' ');

/** The comment at the top of a file, as one line. */
function purposeOf(text: string): string {
  const [, comment = ''] = /^\/\*\*([^]*?)\*\//.exec(text) ?? [];
  return escaped(comment.replaceAll(/^\s*\* ?/gm, ' ').trim());
}

function sectionOf(file: string): string {
  const text = readFileSync(join(root, file), 'utf8');
  const rules = rulesIn(ts.createSourceFile(file, text, ts.ScriptTarget.ES2023, true));
  const lines = rules.map(({ depth, title }) => `${'  '.repeat(depth)}- ${escaped(title)}`);
  const purpose = purposeOf(text);
  return [`### [${file}](../${file})`, ...(purpose === '' ? [] : [purpose]), lines.join('\n')].join('\n\n');
}

export function rulesList(): string {
  const files = readdirSync(join(root, 'test'), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.test.ts'))
    .map((file) => join('test', file))
    .sort();
  return files.map(sectionOf).join('\n\n');
}
