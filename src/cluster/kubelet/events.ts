/** Events about pods and their containers, and about the node, in the kubelet's name. */
import type { EventRecorder as Recorder } from '#cluster/machinery/types.ts';
import { referenceTo } from '#cluster/machinery/events.ts';
import type { EventRecorder } from './types.ts';

const component = 'kubelet';

export function podRecorder(recorder: Recorder, nodeName: string): EventRecorder {
  return {
    pod(pod, type, reason, message, container) {
      const list = (['initContainers', 'ephemeralContainers'] as const).find((name) => pod.spec[name]?.some((candidate) => candidate.name === container)) ?? 'containers';
      const fieldPath = container === undefined ? undefined : `spec.${list}{${container}}`;
      recorder.recordAbout(component, referenceTo(pod, fieldPath), type, reason, message);
    },
    // Events of a node name it instead of its uid, which the node need not know.
    node: (type, reason, message) => recorder.recordAbout(component, { kind: 'Node', name: nodeName, uid: nodeName }, type, reason, message),
  };
}
