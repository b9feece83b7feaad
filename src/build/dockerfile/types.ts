/**
 * The Dockerfile, from text to steps.
 *
 * `parse` cuts the text into *instructions* (a keyword, its flags, its argument text, its here-documents) with
 * their lines. Each instruction's file in `instructions/` knows its own form: it turns the argument text into a
 * *step*, expanding variables where the reference says so. A step changes the *image config*, and may write to the
 * file system, which makes a layer. Source: Dockerfile reference (docs.docker.com/reference/dockerfile).
 */
import type { ImageConfig } from '#api/oci/image.ts';

export interface Dockerfile {
  /** What is allowed and should not be done, to be shown as it is. */
  warnings: readonly string[];
  /** What the first lines direct (`# escape=`, `# syntax=`). */
  directives: Readonly<Record<string, string>>;
  instructions: readonly Instruction[];
  /** Name and lines, for messages. */
  source: Source;
}

export interface Source {
  name: string;
  lines: readonly string[];
}

export interface Instruction {
  /** Lower case: `run`. */
  keyword: string;
  /** `--name=value`, in order, without the dashes. */
  flags: readonly { name: string; value: string }[];
  /** The argument text with continuations joined. */
  args: string;
  heredocs: readonly Heredoc[];
  /** As shown in the build's output: its lines, joined. */
  original: string;
  /** First and last line, from 1. */
  line: number;
  endLine: number;
}

export interface Heredoc {
  name: string;
  body: string;
  /** Whether variables in the body are expanded (unquoted name). */
  expand: boolean;
}

/** What a step needs done to the file system. */
export type Change =
  | { kind: 'run'; args: readonly string[]; network: 'default' | 'none' | 'host'; input?: string; mounts: readonly RunMount[] }
  | CopyChange
  | { kind: 'workdir'; path: string };

export interface CopyChange {
  kind: 'copy';
  /** Whether archives are unpacked and URLs fetched. */
  add: boolean;
  sources: readonly string[];
  /** Files given in the Dockerfile itself. */
  inline: readonly { name: string; body: string }[];
  target: string;
  /** The target as the Dockerfile has it, for history. */
  written: string;
  /** A stage, its number, or an image; the build context where undefined. */
  from?: string;
  chown?: string;
  chmod?: number;
  checksum?: string;
  exclude: readonly string[];
}

export interface RunMount {
  type: 'bind' | 'cache' | 'tmpfs';
  target: string;
  source?: string;
  from?: string;
  id?: string;
  readonly: boolean;
  size?: number;
  mode?: number;
  uid?: number;
  gid?: number;
}

/** What an instruction does, with variables expanded. */
export interface Step {
  instruction: Instruction;
  /** The history entry's text after the shell, as classic Docker writes it. */
  createdBy: string;
  change?: Change;
  /** Alters the config; given a copy that it may change. */
  configure?: (config: ImageConfig) => void;
}

/** A stage: from one FROM to the next. */
export interface Stage {
  index: number;
  name?: string;
  base: string;
  platform?: string;
  instructions: readonly Instruction[];
  from: Instruction;
}

/** What is known of an instruction's surroundings as soon as the file is read. */
export interface FileContext {
  escape: string;
  source: Source;
  /** Of the language, in lower case: ONBUILD holds an instruction too. */
  keywords: ReadonlySet<string>;
}

/** What an instruction's parser sees of the build. */
export interface StepContext extends FileContext {
  /** Config as left by the steps before; do not change it. */
  config: ImageConfig;
  /** Build arguments in scope, by name. */
  args: ReadonlyMap<string, string>;
  /** Whether this stage gave a CMD already. */
  stageSetCmd: boolean;
  /** Brings an ARG into scope, for the instructions after this one. */
  declareArg(name: string, fallback: string | undefined): void;
}

/** One instruction of the language: a value in `instructions/index.ts`. */
export interface InstructionKind {
  keyword: string;
  /** Flags that it takes; any other is refused by name. */
  flags?: readonly string[];
  /** Whether here-documents may follow. */
  heredocs?: boolean;
  /** Whether the keyword may stand alone. */
  argsOptional?: boolean;
  /** Whether the arguments may be a JSON list. */
  json?: boolean;
  /** Whether all of the arguments are one. */
  single?: boolean;
  /** What can be said of the form before any step is taken. Faults: `invalid`, with file, line and caret. */
  check?(instruction: Instruction, file: FileContext): void;
  step(instruction: Instruction, context: StepContext): Step;
}
