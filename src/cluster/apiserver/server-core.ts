import type { Authentication } from './authn/authenticate.ts';
import type { RbacAuthorizer } from './authz/rbac.ts';
import type { Core } from './core.ts';
import type { Authorizer } from './types.ts';

/** All that the doors work with. */
export interface Server {
  core: Core;
  authentication: Authentication;
  authorizer: Authorizer;
  /** The rules behind it, for those who ask what they may do. */
  rbac: RbacAuthorizer;
  /** PEM: whom clients of this server trust. */
  clusterCa: string;
}
