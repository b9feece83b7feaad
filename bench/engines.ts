/** The engines that parts share: started at the first call, ended together. */
import { startDockerd } from './dockerd.ts';
import { startGantry, type GantryPeer } from './gantry.ts';
import { imageName } from './image.ts';
import type { Peer } from './peer.ts';

export class Engines {
  readonly #archive: Buffer;
  readonly #say: (line: string) => void;
  #gantry: GantryPeer | undefined;
  /** `null`: it does not start here. */
  #dockerd: Peer | null | undefined;
  readonly versions: Record<string, string> = {};

  constructor(archive: Buffer, say: (line: string) => void) {
    this.#archive = archive;
    this.#say = say;
  }

  async gantry(): Promise<GantryPeer> {
    if (!this.#gantry) await this.#begin((this.#gantry = await startGantry()));
    return this.#gantry;
  }

  async all(): Promise<readonly Peer[]> {
    if (this.#dockerd === undefined) {
      this.#dockerd = await startDockerd().catch((error: unknown) => {
        this.#say(`dockerd is left out: ${String(error)}`);
        return null;
      });
      if (this.#dockerd) await this.#begin(this.#dockerd);
    }
    const gantry = await this.gantry();
    return this.#dockerd ? [this.#dockerd, gantry] : [gantry];
  }

  async #begin(peer: Peer): Promise<void> {
    this.versions[peer.name] = peer.version;
    await peer.dockerWithInput(this.#archive, 'import', '-', imageName);
  }

  async end(): Promise<void> {
    const running = [this.#dockerd, this.#gantry];
    this.#dockerd = this.#gantry = undefined;
    for (const peer of running) await peer?.end();
  }
}
