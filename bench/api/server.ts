/** An API server under load: where it is, and who one is there. */
import type { HttpClientOptions } from '#client/kube/http.ts';

export interface ApiPeer {
  name: string;
  version: string;
  access: HttpClientOptions;
  /** The same for kubectl. */
  kubeconfig: string;
  /** Pids of its processes. */
  pids(): number[];
  end(): Promise<void>;
}
