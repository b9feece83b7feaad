import type { Command } from '../types.ts';

const text = `gantry: a container engine and a cluster in one daemon

  ./gantry up [--root DIR] [--nodes N] [--registry-mirror URL] [--insecure-registry HOST] [--docker-socket PATH] [--api-port N]
                          start the daemon; returns when engine, API server and nodes are ready; flags are kept for
                          the next start without any. Of several nodes, each is a process with a network of its own.
                          For nodes in trouble, by Kubernetes' names: --node-monitor-grace-period DURATION,
                          --default-not-ready-toleration-seconds N, --default-unreachable-toleration-seconds N
  ./gantry down [--purge] stop it, containers too; --purge also removes all state
  ./gantry status [-o json]
                          versions, sockets, nodes, containers, pods, memory, disk
  ./gantry node ls | add [NAME] | rm NAME | stop NAME | start NAME
                          nodes come and go while work runs (up --nodes 2 or more); stop ends the agent alone
  ./gantry env            for eval "$(./gantry env)": DOCKER_HOST and KUBECONFIG, so that docker and kubectl find it
  ./gantry doctor         what this host has, lacks, and how to mend it
  ./gantry demo           build the example blog, deploy it, send a request through it
  ./gantry test           everything a release must pass on this machine

Each takes --root DIR (or GANTRY_ROOT; default /var/lib/gantry) and --debug.
`;

export const help: Command = {
  name: 'help',
  async run(_args, context) {
    context.out(text);
    return 0;
  },
};
