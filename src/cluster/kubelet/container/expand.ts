/**
 * `$(NAME)` references in commands, arguments and environment values: replaced where the name is known, left as they
 * are where not; `$$` is a dollar sign.
 */
export function expand(text: string, values: ReadonlyMap<string, string>): string {
  return text.replaceAll(/\$\$|\$\(([^)]*)\)/g, (whole, name: string | undefined) => {
    if (name === undefined) return '$';
    return values.get(name) ?? whole;
  });
}
