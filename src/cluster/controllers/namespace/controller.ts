/** Deletes what is in a namespace that is being deleted, and then lets the namespace go. */
import type { Namespace } from '#api/kube/types.ts';
import { forEachLimit } from '#lib/async.ts';
import { isoSeconds } from '#lib/clock.ts';
import { isFault } from '#lib/errors.ts';
import { namespaces as namespacesRef } from '#client/kube/resources.ts';
import { runController } from '#cluster/machinery/controller.ts';
import { sameJson } from '#cluster/machinery/equal.ts';
import { WorkQueue } from '#cluster/machinery/queue.ts';
import type { ApiObject, Controller, ControllerContext, Informer } from '#cluster/machinery/types.ts';
import { keyOf } from '#cluster/machinery/types.ts';
import type { Served } from '../discovery.ts';
import { discover } from '../discovery.ts';
import { planText } from '../planned.ts';
import { contentsOf } from './observe.ts';
import type { Contents, Operation } from './plan.ts';
import { deletionConditions, finalizer, planDeletion } from './plan.ts';

const workers = 4;
/** Deletions that are under way at a time in one namespace. */
const deletionsAtOnce = 16;
/** What is left is looked at again after this long, in milliseconds: an informer may miss the end of what it never saw. */
const recheckMs = 15_000;

export function namespaceController(context: ControllerContext): Controller {
  return { name: 'namespace', run: () => new NamespaceDeleter(context).run() };
}

class NamespaceDeleter {
  readonly #context: ControllerContext;
  readonly #queue: WorkQueue;
  readonly #namespaces: Informer<Namespace>;
  #served: readonly Served[] = [];

  constructor(context: ControllerContext) {
    this.#context = context;
    this.#queue = new WorkQueue({ clock: context.clock });
    this.#namespaces = context.informers.of<Namespace>(namespacesRef);
  }

  async run(): Promise<void> {
    const { client, clock, log, signal } = this.#context;
    this.#served = await discover(this.#context);
    if (signal.aborted) return;
    this.#listen();
    const reconcile = (key: string): Promise<number | undefined> => this.#reconcile(key, client);
    await runController({ name: 'namespace', queue: this.#queue, workers, synced: [this.#namespaces.synced], reconcile, signal, log, clock });
  }

  #listen(): void {
    this.#namespaces.onChange(({ type, object }) => {
      if (type !== 'DELETED' && object.metadata.deletionTimestamp !== undefined) this.#queue.add(keyOf(object));
    });
    // What goes brings its namespace nearer to its end. Events are not worth following: they go at once.
    for (const { ref, namespaced } of this.#served) {
      if (!namespaced || ref.resource === 'events') continue;
      this.#context.informers.of<ApiObject>(ref).onChange(({ type, object }) => {
        const namespace = this.#namespaces.get(object.metadata.namespace ?? '');
        if (type === 'DELETED' && namespace?.metadata.deletionTimestamp !== undefined) this.#queue.add(keyOf(namespace));
      });
    }
  }

  /** Another look at once, where something was done: what goes at once is gone then. */
  async #reconcile(key: string, client: ControllerContext['client']): Promise<number | undefined> {
    const { log, signal } = this.#context;
    const namespace = this.#namespaces.get(key);
    if (namespace?.metadata.deletionTimestamp === undefined || !(namespace.spec?.finalizers ?? []).includes(finalizer)) return undefined;
    const contents = await contentsOf(client, this.#served, key, signal);
    const plan = planDeletion(namespace, contents);
    if (plan.length > 0) log.debug(planText(plan), { controller: 'namespace' });
    await forEachLimit(plan, deletionsAtOnce, (operation) => this.#execute(namespace, operation));
    if (plan.some((operation) => operation.do === 'delete')) return 0;
    if (contents.length === 0) return undefined;
    await this.#report(namespace, contents);
    return recheckMs;
  }

  async #execute(namespace: Namespace, operation: Operation): Promise<void> {
    const { client, signal } = this.#context;
    try {
      if (operation.do === 'delete') {
        const { name = '', uid } = operation.object.metadata;
        // Each is deleted by itself here: nobody has to collect what belongs to it.
        await client.delete(operation.served.ref, name, { namespace: keyOf(namespace), propagationPolicy: 'Background', preconditions: { uid }, signal });
      } else {
        const finalizers = (namespace.spec?.finalizers ?? []).filter((one) => one !== finalizer);
        await client.update(namespacesRef, { ...namespace, spec: { ...namespace.spec, finalizers } }, { subresource: 'finalize', name: namespace.metadata.name, signal });
      }
    } catch (error) {
      if (!isFault(error, 'not-found') && !(operation.do === 'delete' && isFault(error, 'conflict'))) throw error;
    }
  }

  async #report(namespace: Namespace, contents: readonly Contents[]): Promise<void> {
    const { client, clock, signal } = this.#context;
    const conditions = deletionConditions(namespace, contents, isoSeconds(clock.now()));
    if (sameJson(conditions, namespace.status?.conditions)) return;
    await client.update(namespacesRef, { ...namespace, status: { ...namespace.status, conditions } }, { subresource: 'status', name: namespace.metadata.name, signal });
  }
}
