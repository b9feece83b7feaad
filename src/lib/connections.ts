/**
 * The connections that a server holds, up to a limit. Each is *at work* while a request on it is being answered, else
 * *idle* (also before its first request, and before its TLS is agreed). Where all are taken, a new one takes the place of
 * the one that has been idle longest; where all are at work, the new one is closed at once.
 */
import type { Duplex } from 'node:stream';

export class Connections {
  readonly limit: number;
  /** In the order in which they became idle. */
  readonly #idle = new Set<Duplex>();
  readonly #working = new Map<Duplex, number>();

  constructor(limit: number) {
    this.limit = limit;
  }

  get size(): number {
    return this.#idle.size + this.#working.size;
  }

  /** Takes a new connection in; false where there was no place and it was closed. */
  add(socket: Duplex): boolean {
    if (this.size >= this.limit && !this.#evict()) {
      socket.destroy();
      return false;
    }
    this.#hold(socket);
    return true;
  }

  /** `to` is what `from` became, as with TLS on top of it. */
  become(from: Duplex | undefined, to: Duplex): void {
    if (from) this.#idle.delete(from);
    this.#hold(to);
  }

  /** A request began on the connection. */
  begin(socket: Duplex): void {
    this.#idle.delete(socket);
    this.#working.set(socket, (this.#working.get(socket) ?? 0) + 1);
  }

  /** One that began has ended. */
  end(socket: Duplex): void {
    const left = (this.#working.get(socket) ?? 0) - 1;
    if (left > 0) this.#working.set(socket, left);
    else if (this.#working.delete(socket) && !socket.destroyed) this.#idle.add(socket);
  }

  destroyAll(): void {
    for (const socket of [...this.#idle, ...this.#working.keys()]) socket.destroy();
  }

  #hold(socket: Duplex): void {
    this.#idle.add(socket);
    socket.once('close', () => {
      this.#idle.delete(socket);
      this.#working.delete(socket);
    });
  }

  #evict(): boolean {
    const [oldest] = this.#idle;
    if (!oldest) return false;
    this.#idle.delete(oldest);
    oldest.destroy();
    return true;
  }
}
