export default function Page() {
  return 'host';
}
