import { encode } from 'uqr';
import { shape } from './dom.ts';

/**
 * A QR code as one SVG path, dark on white whatever the colours of the page: scanners want it so,
 * with four modules of quiet around.
 */
export function drawQr(content: string, label: string): SVGElement {
  const { data, size } = encode(content, { ecc: 'M', border: 4 });
  let path = '';
  data.forEach((row, y) => {
    for (let x = 0; x < size; x += 1) {
      if (row[x] !== true) continue;
      let end = x;
      while (row[end + 1] === true) end += 1;
      path += `M${x} ${y}h${end - x + 1}v1h${x - end - 1}z`;
      x = end;
    }
  });
  return shape(
    'svg',
    {
      class: 'qr',
      viewBox: `0 0 ${size} ${size}`,
      role: 'img',
      'aria-label': label,
      'shape-rendering': 'crispEdges',
    },
    shape('rect', { width: String(size), height: String(size), fill: '#fff' }),
    shape('path', { d: path, fill: '#000' }),
  );
}
