// A gateway in the middle of an Express 4 application, behind its body parser.
import process from 'node:process';
import express from 'express';

const { createGateway } = await import(process.env.GATEWAY);
const gateway = createGateway(process.env);
const answer = (_req, res) => void res.send('host');

const host = express();
host.get('/before', answer);
host.use(gateway.app);
host.use(express.json());
host.get(['/after', '/api/orders', '/auth/other'], answer);
host.post('/api/orders', (req, res) => void res.json(req.body));
host.listen(Number(process.env.PORT), 'localhost', () => process.stdout.write('ready\n'));
