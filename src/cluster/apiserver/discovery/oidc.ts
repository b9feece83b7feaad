/** What others need to check service-account tokens by themselves. */
import { exportJWK } from 'jose/key/export';
import { sendBytes } from '../http/answer.ts';
import type { PathRoute } from './routes.ts';

const cacheSeconds = 3600;

export const oidcRoutes: readonly PathRoute[] = [
  {
    path: '/.well-known/openid-configuration',
    serve: async (exchange) => {
      const { issuer } = exchange.server.authentication;
      const document = {
        issuer,
        jwks_uri: `${issuer}/openid/v1/jwks`,
        response_types_supported: ['id_token'],
        subject_types_supported: ['public'],
        id_token_signing_alg_values_supported: ['ES256'],
      };
      exchange.response.setHeader('cache-control', `public, max-age=${cacheSeconds}`);
      await sendBytes(exchange, 200, 'application/json', Buffer.from(JSON.stringify(document)));
    },
  },
  {
    path: '/openid/v1/jwks',
    serve: async (exchange) => {
      const { publicKey, keyId } = exchange.server.authentication.keys;
      const key = { use: 'sig', kid: keyId, alg: 'ES256', ...(await exportJWK(publicKey)) };
      exchange.response.setHeader('cache-control', `public, max-age=${cacheSeconds}`);
      await sendBytes(exchange, 200, 'application/jwk-set+json', Buffer.from(JSON.stringify({ keys: [key] })));
    },
  },
];
