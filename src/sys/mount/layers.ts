/** Overlay options with more layers than the kernel's one page of options holds. */
import { closeSync, openSync } from 'node:fs';
import { openPath } from '#lib/open-flags.ts';
import { faulting } from '../errno.ts';

const prefix = 'lowerdir=';

/**
 * Opens the lower directories and names them by descriptor, which is shorter, while `use` mounts. The mount
 * holds the directories itself; the descriptors are closed again.
 */
export function withShortLayers(data: string, what: string, use: (data: string) => void): void {
  const fds: number[] = [];
  const shorten = (path: string): string => {
    const fd = faulting(`${what}: open the layer ${path}`, () => openSync(path.replaceAll(/\\(.)/g, '$1'), openPath));
    fds.push(fd);
    return `/proc/self/fd/${fd}`;
  };
  try {
    const words = splitUnescaped(data, ',').map((word) => {
      if (!word.startsWith(prefix)) return word;
      return prefix + splitUnescaped(word.slice(prefix.length), ':').map(shorten).join(':');
    });
    use(words.join(','));
  } finally {
    for (const fd of fds) closeSync(fd);
  }
}

/** Overlay escapes separators within a path by a backslash. */
function splitUnescaped(text: string, separator: ',' | ':'): string[] {
  const pattern = separator === ',' ? /(?:\\.|[^\\,])+/g : /(?:\\.|[^\\:])+/g;
  return text.match(pattern) ?? [];
}
