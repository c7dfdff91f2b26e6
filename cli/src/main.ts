import { readFileSync } from 'node:fs'
import { Command, InvalidArgumentError } from 'commander'
import { fail } from './output/fail.ts'

const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { version: string }

const number = (minimum: number, maximum: number) => (text: string) => {
  const value = Number(text)
  if (text.trim() === '' || !Number.isFinite(value) || value < minimum || value > maximum)
    throw new InvalidArgumentError(`Write a number from ${minimum} to ${maximum}.`)
  return value
}
const integer = (minimum: number, maximum: number) => (text: string) => {
  const value = number(minimum, maximum)(text)
  if (!Number.isInteger(value)) throw new InvalidArgumentError('Write a whole number.')
  return value
}
const collect = (value: string, before: string[] = []) => [...before, value]

/** Runs a command's module, which is loaded only now, and says what went wrong. */
const run =
  <Args extends unknown[]>(load: () => Promise<(...args: Args) => Promise<void>>) =>
  async (...args: Args) => {
    const options = args.find(
      (arg): arg is Args[number] & { json?: boolean } => typeof arg === 'object' && arg !== null && !Array.isArray(arg),
    )
    try {
      await (await load())(...args)
    } catch (error) {
      fail(error, { json: options?.json })
    }
  }

const program = new Command('peerhost')
  .description('Serverless functions on independent, staked workers, paid per request.')
  .version(version)
  .showHelpAfterError('(peerhost --help lists the commands)')

program
  .command('dev')
  .description('run a whole PeerHost network on this machine: chain, store, gateway, workers')
  .option('--port <port>', 'the gateway’s; 0 takes free ones for all', integer(0, 65535), 8402)
  .option('--workers <count>', 'how many workers; 0: only those that `peerhost worker` runs', integer(0, 16), 3)
  .option('--block-time <seconds>', 'seconds between blocks; 0 mines each transaction at once', number(0, 60), 0)
  .option('--data <folder>', 'where it keeps itself between runs', './.peerhost')
  .option('--fresh', 'start empty')
  .option('--json', 'a line of JSON for each step and when it is ready')
  .option('--verbose', 'also what the members say')
  .action(run(async () => (await import('./commands/dev.ts')).dev))

program
  .command('call <url>')
  .description('call a function over HTTP and pay for it if it costs something')
  .option('-X, --request <method>', 'method')
  .option('-H, --header <header>', 'a header, "Name: value"; may be repeated', collect)
  .option('-d, --data <data>', 'body; @file reads it from a file, @- from standard input')
  .option('--max-price <usdc>', 'most to pay for this call, in USDC', '0.1')
  .option('--network <name>', 'local, amoy or polygon')
  .option('--save <file>', 'keep the receipt and the body, for `peerhost verify`')
  .option('--json', 'one JSON object with status, headers, body, payment and receipt')
  .action(run(async () => (await import('./commands/call.ts')).call))

program
  .command('verify <receipt>')
  .description('check a receipt: a saved file, - for standard input, or the header’s text')
  .option('--body <file>', 'the response’s body, where the receipt is a header’s text')
  .option('--execute', 'run the request again in the sandbox and compare the result')
  .option('--network <name>', 'local, amoy or polygon')
  .option('--json', 'one JSON object with every check')
  .action(run(async () => (await import('./commands/verify.ts')).verify))

program
  .command('doctor')
  .description('check what this machine can do: sandbox, node, chain, store, keys')
  .option('--network <name>', 'local, amoy or polygon')
  .option('--json', 'one JSON object with every check')
  .action(run(async () => (await import('./commands/doctor.ts')).doctor))

program
  .command('worker')
  .description('run a worker for one or more gateways')
  .option('--gateway <url>', 'a gateway to work for; may be repeated', collect)
  .option('--worker <address>', 'bonded address, if it is not the key’s own')
  .option('--data <folder>', 'receipts, bundles, chain mirror', './.peerhost-worker')
  .option('--capacity <count>', 'executions at once', integer(1, 10_000))
  .option('--memory <mb>', 'memory that all jails may take', integer(256, 1_000_000))
  .option('--fork-point <point>', 'auto or blank', 'auto')
  .option('--stake <usdc>', 'first bond so much and register the key')
  .option('--network <name>', 'local, amoy or polygon')
  .option('--json', 'lines of JSON')
  .action(run(async () => (await import('./commands/worker.ts')).worker))

program
  .command('gateway')
  .description('run a gateway')
  .option('--port <port>', 'port to listen on', integer(0, 65535), 8402)
  .option('--host <address>', 'address to listen on', '127.0.0.1')
  .option('--public-url <url>', 'where callers reach it')
  .option('--gateway <address>', 'bonded address, if it is not the key’s own')
  .option('--trusted-proxy <range>', 'address or CIDR range whose x-forwarded-for counts; may be repeated', collect)
  .option(
    '--ipfs-source <url>',
    'a trustless IPFS gateway to ask for content that is not here; may be repeated',
    collect,
  )
  .option('--data <folder>', 'payments, receipts, blocks, chain mirror', './.peerhost-gateway')
  .option('--stake <usdc>', 'first bond so much and register the key')
  .option('--network <name>', 'local, amoy or polygon')
  .option('--json', 'lines of JSON')
  .action(run(async () => (await import('./commands/gateway.ts')).gateway))

await program.parseAsync()
