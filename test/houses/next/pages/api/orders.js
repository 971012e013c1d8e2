export default function handler(req, res) {
  if (req.method === 'POST') res.json(req.body);
  else res.send('host');
}
