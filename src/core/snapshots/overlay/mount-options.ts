/** Room for the option string of mount(2): one page, less its zero. */
const optionBytes = 4095;

export interface OverlayPlaces {
  /** The snapshots' root, absolute. */
  root: string;
  /** Layer directories below the root, topmost first; at least one. */
  lowers: readonly string[];
  /** Below the root; absent for a read-only view. */
  upper?: string;
  work?: string;
}

/**
 * The options of an overlay mount. Absolute paths where they fit and hold nothing that the options would have to
 * escape, so that the mount table reads well; else paths through `viaFd` (`/proc/self/fd/N`, the root opened), which
 * are short for any root.
 */
export function overlayOptions(places: OverlayPlaces, viaFd: () => string): string[] {
  const plain = optionsFrom(places.root, places);
  const fits = !/[,:\\]/.test(places.root) && Buffer.byteLength(plain.join(',')) <= optionBytes;
  return fits ? plain : optionsFrom(viaFd(), places);
}

function optionsFrom(base: string, places: OverlayPlaces): string[] {
  const options = [`lowerdir=${places.lowers.map((lower) => `${base}/${lower}`).join(':')}`];
  if (places.upper !== undefined && places.work !== undefined) {
    options.push(`upperdir=${base}/${places.upper}`, `workdir=${base}/${places.work}`, 'index=off');
  }
  // Layers stay plain: no renamed directory or data-less file that only this kernel can follow, and none followed
  // from an archive.
  options.push('redirect_dir=nofollow', 'metacopy=off');
  return options;
}
