import { registerHooks } from 'node:module';

/** Set where this program was made one file (`daemon/bundle.ts`): that of the file of a worker, by its source's name. */
declare const GANTRY_BUNDLE: ((source: string) => URL) | undefined;
/** Set likewise: the directory `src/` that the file was made from. */
declare const GANTRY_SOURCE: URL | undefined;

const bundled = typeof GANTRY_BUNDLE === 'undefined' ? undefined : GANTRY_BUNDLE;
const source = typeof GANTRY_SOURCE === 'undefined' ? new URL('../', import.meta.url) : GANTRY_SOURCE;

/** The place of a file of this program: `path` is relative to `src/`, as in `api/kube/generated/docs.json`. */
export function ownFile(path: string): URL {
  return new URL(path, source);
}

/** What a thread is started from: `path` names its source relative to `src/`, and stands in `daemon/bundle.ts` too. */
export function ownWorker(path: string): URL {
  return bundled?.(path) ?? ownFile(path);
}

/**
 * Resolves this program's own modules by their names alone. Node looks for a package.json and follows links for each of
 * hundreds, which is a fifth of the time that loading the daemon takes.
 */
export function resolveOwnModules(): void {
  if (bundled) return;
  registerHooks({
    resolve(specifier, context, next) {
      const url = ownUrl(specifier, context.parentURL ?? '');
      return url === undefined ? next(specifier, context) : { url, format: 'module-typescript', shortCircuit: true };
    },
  });
}

function ownUrl(specifier: string, parent: string): string | undefined {
  if (!specifier.endsWith('.ts') || !parent.startsWith(source.href)) return undefined;
  if (specifier.startsWith('#')) return source.href + specifier.slice(1);
  return specifier.startsWith('.') ? new URL(specifier, parent).href : undefined;
}
