import assert from 'node:assert/strict';
import { test } from 'node:test';
import { applyDefaults } from './defaults.ts';
import { message } from './schema.ts';

test("the schema's defaults fill what is there, and make nothing that is not", () => {
  const pod = {
    spec: {
      containers: [{ name: 'c', ports: [{ containerPort: 1 }, { containerPort: 2, protocol: 'UDP' }], livenessProbe: { grpc: { port: 1 } } }],
      volumes: [{ name: 'v', azureDisk: { diskName: 'd', diskURI: 'u' } }],
    },
  };
  applyDefaults(pod, message('core.v1.Pod'));
  assert.deepEqual(pod, {
    spec: {
      containers: [{ name: 'c', ports: [{ containerPort: 1, protocol: 'TCP' }, { containerPort: 2, protocol: 'UDP' }], livenessProbe: { grpc: { port: 1, service: '' } } }],
      volumes: [{ name: 'v', azureDisk: { diskName: 'd', diskURI: 'u', cachingMode: 'ReadWrite', fsType: 'ext4', readOnly: false, kind: 'Shared' } }],
    },
  });
});

test('a default that is the zero of its field is not written', () => {
  const controller = { spec: {} };
  applyDefaults(controller, message('core.v1.ReplicationController'));
  assert.deepEqual(controller, { spec: { replicas: 1 } });
});
