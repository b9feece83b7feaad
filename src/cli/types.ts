export interface Command {
  name: string;
  run(args: readonly string[], context: CommandContext): Promise<number>;
}

export interface CommandContext {
  out(text: string): void;
  env: Readonly<Record<string, string | undefined>>;
}
