/** What a container may say of its probes, its hooks, and when it is started again. */
import { constants } from 'node:os';
import { type FieldError, fieldError } from '#api/kube/field-errors.ts';
import type { Container, LifecycleHandler, PodSpec, Probe } from '#api/kube/types.ts';
import { nonNegative } from '../resource.ts';
import { oneOf, validatePortReference } from './container-validation.ts';

const restartPolicies = ['Always', 'Never', 'OnFailure'];
const mostRestartRules = 20;
const mostExitCodes = 255;

/** For containers that run beside others: probes and hooks. */
export function validateLifecycle(container: Container, path: string, spec: PodSpec): FieldError[] {
  const errors: FieldError[] = [];
  const graceSeconds = spec.terminationGracePeriodSeconds ?? 30;
  for (const hook of ['postStart', 'preStop'] as const) {
    const handler = container.lifecycle?.[hook];
    if (handler !== undefined) errors.push(...validateHandler(handler, `${path}.lifecycle.${hook}`, graceSeconds));
  }
  const signal = container.lifecycle?.stopSignal;
  if (signal !== undefined) errors.push(...validateStopSignal(signal, `${path}.lifecycle.stopSignal`, spec.os?.name));
  for (const name of ['livenessProbe', 'readinessProbe', 'startupProbe'] as const) {
    const probe = container[name];
    if (probe === undefined) continue;
    errors.push(...validateProbe(probe, `${path}.${name}`));
    if (name !== 'readinessProbe' && probe.successThreshold !== 1) {
      errors.push(fieldError.invalid(`${path}.${name}.successThreshold`, probe.successThreshold, 'must be 1'));
    }
    if (name === 'readinessProbe' && probe.terminationGracePeriodSeconds !== undefined) {
      errors.push(fieldError.invalid(`${path}.${name}.terminationGracePeriodSeconds`, probe.terminationGracePeriodSeconds, 'must not be set for readinessProbes'));
    }
  }
  return errors;
}

function validateProbe(probe: Probe, path: string): FieldError[] {
  const grace = probe.terminationGracePeriodSeconds;
  return [
    ...validateHandler(probe, path),
    ...nonNegative(`${path}.initialDelaySeconds`, probe.initialDelaySeconds),
    ...nonNegative(`${path}.timeoutSeconds`, probe.timeoutSeconds),
    ...nonNegative(`${path}.periodSeconds`, probe.periodSeconds),
    ...nonNegative(`${path}.successThreshold`, probe.successThreshold),
    ...nonNegative(`${path}.failureThreshold`, probe.failureThreshold),
    ...(grace === undefined || grace > 0 ? [] : [fieldError.invalid(`${path}.terminationGracePeriodSeconds`, grace, 'must be greater than 0')]),
  ];
}

function validateHandler(handler: LifecycleHandler & Pick<Probe, 'grpc'>, path: string, graceSeconds = 0): FieldError[] {
  const errors: FieldError[] = [];
  const given = (['exec', 'httpGet', 'tcpSocket', 'grpc', 'sleep'] as const).filter((key) => handler[key] !== undefined);
  for (const key of given.slice(1)) errors.push(fieldError.forbidden(`${path}.${key}`, 'may not specify more than 1 handler type'));
  if (given.length === 0) errors.push(fieldError.required(path, 'must specify a handler type'));
  if (handler.exec !== undefined && (handler.exec.command ?? []).length === 0) errors.push(fieldError.required(`${path}.exec.command`));
  const { httpGet, tcpSocket, grpc, sleep } = handler;
  if (httpGet !== undefined) {
    if (!httpGet.path) errors.push(fieldError.required(`${path}.httpGet.path`));
    errors.push(...validatePortReference(httpGet.port, `${path}.httpGet.port`), ...oneOf(`${path}.httpGet.scheme`, httpGet.scheme, ['HTTP', 'HTTPS']));
  }
  if (tcpSocket !== undefined) errors.push(...validatePortReference(tcpSocket.port, `${path}.tcpSocket.port`));
  if (grpc !== undefined) errors.push(...validatePortReference(grpc.port, `${path}.grpc.port`));
  if (sleep !== undefined && (sleep.seconds < 0 || sleep.seconds > graceSeconds)) {
    errors.push(fieldError.invalid(`${path}.sleep`, sleep.seconds, `must be non-negative and less than terminationGracePeriodSeconds (${graceSeconds})`));
  }
  return errors;
}

function validateStopSignal(signal: string, path: string, os: string | undefined): FieldError[] {
  if (!os) return [fieldError.forbidden(path, 'may not be set for containers with empty `spec.os.name`')];
  const signals = Object.keys(constants.signals);
  return signals.includes(signal) ? [] : [fieldError.notSupported(path, signal, signals)];
}

/** A container's own restart policy, over its pod's, and the rules for single exit codes. */
export function validateRestarts(container: Container, path: string): FieldError[] {
  const { restartPolicy, restartPolicyRules: rules = [] } = container;
  const errors = restartPolicy === undefined ? [] : oneOf(`${path}.restartPolicy`, restartPolicy, restartPolicies);
  if (rules.length === 0) return errors;
  const at = `${path}.restartPolicyRules`;
  if (restartPolicy === undefined) errors.push(fieldError.required(`${path}.restartPolicy`, 'must specify restartPolicy when restart rules are used'));
  if (rules.length > mostRestartRules) errors.push(fieldError.tooMany(at, rules.length, mostRestartRules));
  return [...errors, ...rules.flatMap(({ action, exitCodes }, index) => {
    const found = oneOf(`${at}[${index}].action`, action, ['Restart', 'RestartAllContainers']);
    if (exitCodes === undefined) return [...found, fieldError.required(`${at}[${index}].exitCodes`, 'must be specified')];
    found.push(...oneOf(`${at}[${index}].exitCodes.operator`, exitCodes.operator, ['In', 'NotIn']));
    const count = (exitCodes.values ?? []).length;
    if (count === 0) found.push(fieldError.required(`${at}[${index}].exitCodes.values`, 'must specify at least one exit code'));
    if (count > mostExitCodes) found.push(fieldError.tooMany(`${at}[${index}].exitCodes.values`, count, mostExitCodes));
    return found;
  })];
}
