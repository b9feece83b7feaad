/** Credentials by the real CLI: login, what comes after it, logout. And all tags of a repository. */
import assert from 'node:assert/strict';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { TestDaemon, whyNoDaemon, type Result } from '../support/daemon.ts';
import { LyingRegistry } from '../support/lying-registry.ts';
import { registryMissing, startRegistry } from '../support/registry.ts';

describe('docker login', { skip: whyNoDaemon('docker') ?? false }, () => {
  const daemon = new TestDaemon();
  let registry: LyingRegistry;
  before(async () => {
    await daemon.up();
    registry = await LyingRegistry.start();
    for (const tag of ['1', '2', 'latest']) await registry.image(tag);
  });
  after(async () => {
    await registry.end();
    await daemon.end();
  });

  const config = (): string => join(daemon.root, 'docker-config');
  const docker = (...args: string[]): Promise<Result> => daemon.run('docker', ['--config', config(), ...args]);
  const ok = async (...args: string[]): Promise<string> => {
    const { code, stdout, stderr } = await docker(...args);
    assert.equal(code, 0, `docker ${args.join(' ')}: ${stderr}${stdout}`);
    return stdout.trim();
  };
  const login = (host: string, password: string): Promise<Result> => daemon.run('docker', ['--config', config(), 'login', '-u', 'me', '--password-stdin', host], password);
  const stored = (): Record<string, { auth?: string; identitytoken?: string }> => (JSON.parse(readFileSync(join(config(), 'config.json'), 'utf8')) as { auths: Record<string, { auth?: string; identitytoken?: string }> }).auths;
  const basic = `Basic ${Buffer.from('me:s3cret').toString('base64')}`;
  const refuse = (response: ServerResponse, challenge: string): true => {
    response.writeHead(401, { 'www-authenticate': challenge, 'content-type': 'application/json' }).end('{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}');
    return true;
  };

  test('a registry that asks for a password: login, pull, build from it, logout', async () => {
    registry.lie = (request, response, path) => {
      if (request.headers.authorization !== basic) return refuse(response, 'Basic realm="x"');
      if (path === '/v2/') response.end('{}');
      return path === '/v2/';
    };
    const wrong = await login(registry.host, 'guess');
    assert.equal(wrong.code, 1);
    assert.match(wrong.stderr, /login attempt to http:\S+\/v2\/ failed: unauthorized: authentication required/);
    assert.match((await docker('pull', `${registry.host}/image:1`)).stderr, /pull access denied for \S+\/image, repository does not exist or may require 'docker login': unauthorized/);
    assert.match((await login(registry.host, 's3cret')).stdout, /Login Succeeded/);
    assert.match(await ok('pull', `${registry.host}/image:1`), /Downloaded newer image/);
    const context = join(daemon.root, 'from-private');
    mkdirSync(context);
    writeFileSync(join(context, 'Dockerfile'), `FROM ${registry.host}/image:2\nLABEL of=private\n`);
    await ok('build', '-t', 'made', context);
    assert.match(await ok('logout', registry.host), /Removing login credentials/);
    assert.notEqual((await docker('pull', `${registry.host}/image:latest`)).code, 0);
  });

  test('one that gives tokens: what stands for the password is kept in its place', async () => {
    const asked: string[] = [];
    const token = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
      let body = '';
      for await (const chunk of request) body += String(chunk);
      asked.push(`${request.method} ${body || new URL(request.url!, 'http://x').search}`);
      const isKnown = request.headers.authorization === basic || new URLSearchParams(body).get('refresh_token') === 'instead';
      response.writeHead(isKnown ? 200 : 401).end(isKnown ? '{"token":"t0k","refresh_token":"instead"}' : '{}');
    };
    registry.lie = (request, response, path) => {
      if (path === '/token') void token(request, response);
      else if (request.headers.authorization !== 'Bearer t0k') return refuse(response, `Bearer realm="http://${registry.host}/token",service="reg"`);
      else if (path === '/v2/') response.end('{}');
      else return false;
      return true;
    };
    assert.match((await login(registry.host, 'guess')).stderr, /gave no token \(401\); check the user name and password/);
    assert.match((await login(registry.host, 's3cret')).stdout, /Login Succeeded/);
    assert.match(asked.at(-1)!, /^GET \?service=reg&account=me&client_id=gantry&offline_token=true$/);
    assert.equal(stored()[registry.host]?.identitytoken, 'instead');
    await ok('pull', `${registry.host}/image:latest`);
    assert.match(asked.at(-1)!, /^POST .*refresh_token=instead.*scope=repository%3Aimage%3Apull/);
    await ok('logout', registry.host);
  });

  test('pull -a brings each tag, page after page', async () => {
    registry.lie = (request, response, path) => {
      if (path !== '/v2/image/tags/list') return false;
      const isSecond = request.url!.includes('last=1');
      response.writeHead(200, isSecond ? {} : { link: '</v2/image/tags/list?last=1&n=1>; rel="next"' }).end(JSON.stringify({ name: 'image', tags: isSecond ? ['2', 'latest'] : ['1'] }));
      return true;
    };
    await docker('rmi', '-f', `${registry.host}/image:1`, `${registry.host}/image:2`, `${registry.host}/image:latest`);
    const said = await ok('pull', '-a', `${registry.host}/image`);
    assert.match(said, /^1: Pulling from \S+\/image$/m);
    assert.match(said, new RegExp(`^Status: Downloaded newer image for ${registry.host}/image$`, 'm'));
    assert.deepEqual((await ok('images', '--format', '{{.Tag}}', `${registry.host}/image`)).split('\n').sort(), ['1', '2', 'latest']);
    assert.match((await docker('pull', '-a', `${registry.host}/other`)).stderr, /manifest unknown/);
  });

  test('a real registry with a password file: push and pull', { skip: registryMissing() }, async () => {
    const real = await startRegistry({ htpasswd: 'me:$2y$05$abcdefghijklmnopqrstuuLK7U1u6pVRmL7L1BBM2aS35PSZnDXlK\n' });
    try {
      assert.notEqual((await login(real.host, 'guess')).code, 0);
      assert.match((await login(real.host, 's3cret')).stdout, /Login Succeeded/);
      await ok('tag', 'made', `${real.host}/team/made:1`);
      await ok('push', `${real.host}/team/made:1`);
      await ok('rmi', `${real.host}/team/made:1`);
      await ok('pull', '-a', `${real.host}/team/made`);
      await ok('logout', real.host);
      assert.match((await docker('push', `${real.host}/team/made:1`)).stderr, /unauthorized/);
    } finally {
      await real.end();
    }
  });
});
