import type { Clock } from './clock.ts';
import { isoTime, systemClock } from './clock.ts';

/** Structured logging: one line a record, `time level component message key=value…`. Never a secret. */
export interface Logger {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  /** A logger for a component; `fields` go on each of its lines. */
  child(component: string, fields?: LogFields): Logger;
}

export type LogFields = Readonly<Record<string, unknown>>;
export const logLevels = ['debug', 'info', 'warn', 'error'] as const;
export type LogLevel = (typeof logLevels)[number];

export interface LoggerOptions {
  write: (line: string) => void;
  level?: LogLevel;
  clock?: Clock;
}

export function createLogger(options: LoggerOptions): Logger {
  const clock = options.clock ?? systemClock;
  const least = logLevels.indexOf(options.level ?? 'info');
  const make = (component: string, base: LogFields): Logger => {
    const at = (level: LogLevel) => {
      if (logLevels.indexOf(level) < least) return () => {};
      return (message: string, fields: LogFields = {}): void => {
        const tail = Object.entries({ ...base, ...fields }).map(([k, v]) => ` ${k}=${show(v)}`);
        options.write(`${isoTime(clock.now())} ${level} ${component}: ${message}${tail.join('')}\n`);
      };
    };
    return {
      debug: at('debug'),
      info: at('info'),
      warn: at('warn'),
      error: at('error'),
      child: (name, fields = {}) => make(component === '' ? name : `${component}/${name}`, { ...base, ...fields }),
    };
  };
  return make('', {});
}

function show(value: unknown): string {
  if (value instanceof Error) {
    const cause = value.cause === undefined ? '' : ` (cause: ${show(value.cause)})`;
    return JSON.stringify(value.message + cause);
  }
  if (typeof value === 'string') return /^[\w./:@-]+$/.test(value) ? value : JSON.stringify(value);
  return JSON.stringify(value) ?? String(value);
}

export const silentLogger: Logger = createLogger({ write: () => {}, level: 'error' });
