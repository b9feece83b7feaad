/** The volumes' side of Docker's door. */
import type { Filters } from '#api/docker/common.ts';
import type * as api from '#api/docker/volumes.ts';
import type { Volume } from '#core/volumes/types.ts';
import { isoSeconds } from '#lib/clock.ts';
import { Fault, isFault } from '#lib/errors.ts';
import type { ContainerContext } from '../containers/context.ts';
import { anyOf, booleanFilter, labelsMatch, nameMatches } from '../filters.ts';

export class VolumesBackend {
  readonly #context: Pick<ContainerContext, 'volumes' | 'events'>;

  constructor(context: Pick<ContainerContext, 'volumes' | 'events'>) {
    this.#context = context;
  }

  async list(filters: Filters): Promise<api.VolumeListResponse> {
    const { volumes } = this.#context;
    const dangling = booleanFilter(filters, 'dangling');
    const found = volumes.list().filter(
      (volume) =>
        labelsMatch(volume.labels, filters) &&
        anyOf(filters, 'name', (name) => nameMatches(volume.name, name)) &&
        anyOf(filters, 'driver', (driver) => volume.driver === driver) &&
        (dangling === undefined || dangling === (volumes.users(volume.name).length === 0)),
    );
    return Promise.resolve({ Volumes: found.map(show), Warnings: null });
  }

  async inspect(name: string): Promise<api.VolumeInspect> {
    return Promise.resolve(show(this.#must(name)));
  }

  #must(name: string): Volume {
    const volume = this.#context.volumes.get(name);
    if (!volume) throw new Fault('not-found', `get ${name}: no such volume`);
    return volume;
  }

  async create(request: api.VolumeCreateRequest): Promise<api.VolumeInspect> {
    if (request.ClusterVolumeSpec) throw new Fault('not-implemented', 'cluster volumes are for swarm mode, which Gantry has not');
    const driver = request.Driver || 'local';
    if (driver !== 'local') throw new Fault('not-found', `create ${request.Name ?? ''}: error looking up volume plugin ${driver}: plugin "${driver}" not found`);
    const existed = request.Name ? this.#context.volumes.get(request.Name) : undefined;
    const volume = await this.#context.volumes.create({
      ...(request.Name ? { name: request.Name } : {}),
      driver,
      options: request.DriverOpts ?? {},
      labels: request.Labels ?? {},
    });
    if (!existed) this.#context.events.emit('volume', 'create', volume.name, { driver: volume.driver });
    return show(volume);
  }

  async remove(name: string, options: { force: boolean }): Promise<void> {
    const volume = this.#context.volumes.get(name);
    if (!volume && options.force) return;
    await this.#removeOne(this.#must(name));
  }

  async #removeOne(volume: Volume): Promise<void> {
    const users = this.#context.volumes.users(volume.name);
    if (users.length > 0) throw new Fault('conflict', `remove ${volume.name}: volume is in use - [${users.join(', ')}]`);
    await this.#context.volumes.remove(volume.name);
    this.#context.events.emit('volume', 'destroy', volume.name, { driver: volume.driver });
  }

  async prune(filters: Filters, options: { all: boolean }): Promise<api.VolumesPruneResponse> {
    const { volumes, events } = this.#context;
    const deleted: string[] = [];
    let reclaimed = 0;
    for (const volume of volumes.list()) {
      if (volumes.users(volume.name).length > 0 || (!options.all && !volume.anonymous) || !labelsMatch(volume.labels, filters)) continue;
      try {
        const { bytes } = await volumes.usage(volume.name);
        await this.#removeOne(volume);
        deleted.push(volume.name);
        reclaimed += bytes;
      } catch (error) {
        // taken into use, or removed, meanwhile
        if (!isFault(error, 'conflict', 'not-found')) throw error;
      }
    }
    events.emit('volume', 'prune', '', { reclaimed: String(reclaimed) });
    return { VolumesDeleted: deleted.length > 0 ? deleted : null, SpaceReclaimed: reclaimed };
  }
}

export function show(volume: Volume): api.VolumeInspect {
  return {
    Name: volume.name,
    Driver: volume.driver,
    Mountpoint: volume.mountpoint,
    CreatedAt: isoSeconds(volume.createdAt),
    Labels: Object.keys(volume.labels).length > 0 ? { ...volume.labels } : null,
    Scope: 'local',
    Options: Object.keys(volume.options).length > 0 ? { ...volume.options } : null,
  };
}
