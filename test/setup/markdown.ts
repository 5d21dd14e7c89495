/** Markdown tables, and the generated parts of a page between their markers. */

export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

export const code = (text: string): string => `\`${text}\``;

const marker = /^<!-- generated: ([\w-]+) -->$/gm;

/** Returns the page with its generated parts renewed. Throws if its markers are not exactly those of the parts. */
export function fillParts(file: string, text: string, parts: Readonly<Record<string, string>>): string {
  const markers = [...text.matchAll(marker)].map(([, name = '']) => name);
  const names = Object.keys(parts);
  if (markers.toSorted().join() !== names.toSorted().join())
    throw new Error(`${file} has the markers ${markers.join(', ')}, and must have ${names.join(', ')}`);
  return names.reduce((filled, name) => {
    const part = new RegExp(`(<!-- generated: ${name} -->\n)[^]*?(<!-- end -->)`);
    if (!part.test(filled)) throw new Error(`${file} has no <!-- end --> after ${name}`);
    return filled.replace(
      part,
      (_all, begin: string, end: string) => `${begin}\n${parts[name] ?? ''}\n\n${end}`,
    );
  }, text);
}
