/** Images are kept for one platform each; calls may name the one that they mean. */
import type { Platform } from '#core/content/types.ts';
import type { Image } from '#core/images/types.ts';
import { formatPlatform, hostPlatform, matches, parsePlatform, platformOf } from '#core/images/platform.ts';
import { Fault } from '#lib/errors.ts';

/** What `platform` of a query says: `os/arch[/variant]`, or an OCI platform in JSON. */
export function readPlatform(text: string): Platform {
  if (!text.startsWith('{')) return parsePlatform(text);
  try {
    const { os, architecture, variant } = JSON.parse(text) as Record<string, unknown>;
    if (typeof os === 'string' && typeof architecture === 'string') return platformOf({ os, architecture, variant: typeof variant === 'string' ? variant : '' });
  } catch {
    // falls through to the refusal
  }
  throw new Fault('invalid', `invalid platform: ${text}: want {"os":…,"architecture":…}`);
}

/** Docker's refusal where the image is of none of the platforms that are asked for; none asked for is any. */
export function checkPlatforms(image: Image, name: string, asked: readonly string[]): void {
  const own = platformOf(image.config);
  for (const wanted of asked.filter((text) => text !== '').map(readPlatform)) {
    if (matches(wanted, own)) continue;
    throw new Fault('not-found', `image with reference ${name} was found but does not provide the specified platform (${formatPlatform(wanted)})`);
  }
}

/** For archives, of which the host's platform alone is taken. */
export function checkHostPlatform(asked: readonly string[]): void {
  for (const wanted of asked.filter((text) => text !== '').map(readPlatform)) {
    if (!matches(wanted, hostPlatform())) throw new Fault('not-found', `no image for platform ${formatPlatform(wanted)}: Gantry keeps images of the host's platform alone`);
  }
}
