/** Questions about rights: may this user do that, and what may I do. */
import type {
  KubeObject, NonResourceAttributes, PolicyRule, ResourceAttributes, SelfSubjectRulesReviewSpec, SubjectAccessReviewSpec,
} from '#api/kube/types.ts';
import { invalidObject } from '../status.ts';
import type { Attributes, User } from '../types.ts';
import { badRequest } from '../status.ts';
import type { Action, ActionRequest } from './types.ts';

const group = 'authorization.k8s.io';

export const accessReviews: readonly Action[] = [
  { group, resource: 'selfsubjectaccessreviews', subresource: '', run: async (request) => review(request, request.context.user) },
  { group, resource: 'subjectaccessreviews', subresource: '', run: async (request) => review(request, subjectOf(request)) },
  {
    group,
    resource: 'localsubjectaccessreviews',
    subresource: '',
    run: async (request) => {
      const { resourceAttributes } = request.object['spec'] as SubjectAccessReviewSpec;
      if (resourceAttributes?.namespace !== request.target.namespace) {
        throw badRequest('spec.resourceAttributes.namespace must be the namespace of the review');
      }
      return review(request, subjectOf(request));
    },
  },
  { group, resource: 'selfsubjectrulesreviews', subresource: '', run: async (request) => rulesReview(request) },
];

function review({ server, object, target }: ActionRequest, user: User): { code: number; object: KubeObject } {
  const spec = (object['spec'] ?? {}) as SubjectAccessReviewSpec;
  const { resourceAttributes, nonResourceAttributes } = spec;
  if ((resourceAttributes === undefined) === (nonResourceAttributes === undefined)) {
    const detail = 'must specify exactly one of `resourceAttributes` and `nonResourceAttributes`';
    throw invalidObject(target.resource, '', [{ type: 'Invalid', path: 'spec.resourceAttributes', value: null, detail }]);
  }
  const asked = resourceAttributes ? ofResource(user, resourceAttributes) : ofPath(user, nonResourceAttributes ?? {});
  const { allowed, reason } = server.authorizer.authorize(asked);
  return { code: 201, object: { ...object, status: { allowed, ...(reason !== '' && { reason }) } } };
}

function ofResource(user: User, asked: ResourceAttributes): Attributes {
  const { verb = '', group: apiGroup = '', version = '', resource = '', subresource = '', namespace = '', name = '' } = asked;
  return { user, verb, resource: { group: apiGroup, version, resource, subresource, namespace, name } };
}

function ofPath(user: User, { verb = '', path = '' }: NonResourceAttributes): Attributes {
  return { user, verb, path };
}

function subjectOf({ object, target }: ActionRequest): User {
  const { user = '', groups = [], uid, extra } = (object['spec'] ?? {}) as SubjectAccessReviewSpec;
  if (user === '' && groups.length === 0) {
    const detail = 'at least one of user or group must be specified';
    throw invalidObject(target.resource, '', [{ type: 'Invalid', path: 'spec.user', value: user, detail }]);
  }
  return { name: user, groups, uid, extra };
}

function rulesReview({ server, object, context }: ActionRequest): { code: number; object: KubeObject } {
  const { namespace = '' } = (object['spec'] ?? {}) as SelfSubjectRulesReviewSpec;
  if (namespace === '') throw badRequest('no namespace on request');
  const rules = server.rbac.rulesFor(context.user, namespace);
  const paths = rules.filter((rule) => (rule.nonResourceURLs ?? []).length > 0);
  const resources = rules.filter((rule) => (rule.nonResourceURLs ?? []).length === 0);
  const status = {
    resourceRules: resources.map(({ verbs, apiGroups, resources: names, resourceNames }: PolicyRule) => ({ verbs, apiGroups, resources: names, resourceNames })),
    nonResourceRules: paths.map(({ verbs, nonResourceURLs }) => ({ verbs, nonResourceURLs })),
    incomplete: false,
  };
  return { code: 201, object: { ...object, status } };
}
