/** /proc/PID/stat (proc(5)). The name, in parentheses, may hold anything, parentheses too. */
export function parseStat(text: string): { state: string; startTime: bigint } | undefined {
  const rest = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const [state, startTime] = [rest[0], rest[19]];
  if (state === undefined || startTime === undefined || !/^\d+$/.test(startTime)) return undefined;
  return { state, startTime: BigInt(startTime) };
}
