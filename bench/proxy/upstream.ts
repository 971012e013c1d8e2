// The API that everything is measured before, as lean as can be: `node bench/proxy/upstream.ts PORT`. Answers every request with the same 650 bytes of JSON,
// and says over IPC how many it has answered, and how many of them brought an access token. Requests have no body here, so a blank line ends one.
import { createServer } from 'node:net';

const body = JSON.stringify({ accounts: [], filler: 'x'.repeat(623) });
const answerOf = (date: string): Buffer =>
  Buffer.from(
    `HTTP/1.1 200 OK\r\ndate: ${date}\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\ncache-control: no-store\r\nconnection: keep-alive\r\n\r\n${body}`,
  );
let answer = answerOf(new Date().toUTCString());
setInterval(() => (answer = answerOf(new Date().toUTCString())), 1_000);

let answered = 0;
let withToken = 0;
createServer({ noDelay: true }, (socket) => {
  let text = '';
  socket.on('data', (piece: Buffer) => {
    text += piece.toString('latin1');
    for (let end = text.indexOf('\r\n\r\n'); end !== -1; end = text.indexOf('\r\n\r\n')) {
      const token = text.indexOf(': Bearer eyJ');
      if (token !== -1 && token < end) withToken += 1;
      answered += 1;
      text = text.slice(end + 4);
      socket.write(answer);
    }
  });
  socket.on('error', () => socket.destroy());
}).listen(Number(process.argv[2]), '127.0.0.1');

process.on('message', () => process.send?.({ answered, withToken }));
process.once('disconnect', () => process.exit());
