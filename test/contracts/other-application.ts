import type { AddressInfo } from 'node:net';
import express from 'express';
import openid from 'express-openid-connect';

// An application as a stranger builds it: the library's own example "access an API", with the tenant's names in it. It runs as a process of its
// own; the tenant's address comes in as a message, the application's goes out as one.

const application = express();
const server = application.listen(0, 'localhost', () => {
  process.send?.(`http://localhost:${(server.address() as AddressInfo).port}`);
});

process.once('message', (tenant: string) => {
  const api = `${tenant}/me/`;
  application.use(
    openid.auth({
      issuerBaseURL: tenant,
      baseURL: `http://localhost:${(server.address() as AddressInfo).port}`,
      clientID: 'other',
      clientSecret: 'other-secret',
      secret: 'a long, randomly-generated string stored in env',
      authRequired: false,
      auth0Logout: true,
      authorizationParams: {
        response_type: 'code',
        audience: api,
        scope: 'openid profile email offline_access read:me:authentication_methods',
        prompt: 'consent',
      },
    }),
  );
  application.get('/', (request, response) => {
    response.send(request.oidc.isAuthenticated() ? 'Logged in' : 'Logged out');
  });
  application.get('/methods', openid.requiresAuth(), async (request, response) => {
    const held = request.oidc.accessToken;
    const { token_type = '', access_token = '' } =
      (request.query['refresh'] === undefined ? held : await held?.refresh()) ?? {};
    const answer = await fetch(`${api}v1/authentication-methods`, {
      headers: { authorization: `${token_type} ${access_token}` },
    });
    response.status(answer.status).json({ token: access_token, answer: await answer.json() });
  });
  application.get('/who', openid.requiresAuth(), async (request, response) => {
    response.json(await request.oidc.fetchUserInfo());
  });
  process.send?.('ready');
});
process.once('disconnect', () => {
  server.close();
  server.closeAllConnections();
});
