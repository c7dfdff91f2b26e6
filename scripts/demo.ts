import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { formatUnits } from 'ethers'
import { Children } from './lib/children.ts'
import { type DemoNetwork, ledger } from './lib/demo-ledger.ts'

// The demo behind `scripts/demo`: what PeerHost is, shown with every part real.

const ROOT = resolve(import.meta.dirname, '..')
const PROJECT = 'shop'
const FREE_PATH = '/api/products/tea'
const PAID_PATH = '/quote/tea?pieces=12'

const keep = process.argv.includes('--keep')
const scratch = mkdtempSync(join(tmpdir(), 'peerhost-demo-'))
const children = new Children()
const began = performance.now()
let stopping = false
let kept = false

const say = (text = '') => console.log(text)
const row = (label: string, value: string) => say(`   ${label.padEnd(24)} ${value}`)
const usdc = (atomic: bigint) => `${formatUnits(atomic, 6)} USDC`
const since = (start: number) => `${((performance.now() - start) / 1000).toFixed(1)} s`

let number = 0
const heading = (text: string) => say(`\n${++number}. ${text}`)

/** Stops everything that runs, then the demo itself. Only the first call counts. */
async function stop(code: number, reason: string): Promise<void> {
  if (stopping) return
  stopping = true
  if (code === 1) console.error(`\nscripts/demo: ${reason}`)
  else say(`\n${reason}`)
  await children.stop()
  rmSync(scratch, { recursive: true, force: true })
  process.exit(code)
}

/** Starts the embedded network and waits for its ready line. */
function startNetwork(): Promise<{ file: string; network: DemoNetwork }> {
  // With --keep it is where the other commands look for it; else apart from any network that already runs here.
  const args = keep
    ? ['--data', join(ROOT, '.peerhost'), '--fresh']
    : ['--data', join(scratch, 'network'), '--port', '0']
  return new Promise((ready, fail) => {
    const said: string[] = []
    const onLine = (line: string) => {
      said.push(line)
      if (!line.startsWith('{') || !line.includes('"ready"')) return
      const { network: file } = JSON.parse(line)
      ready({ file, network: JSON.parse(readFileSync(file, 'utf8')) })
    }
    const child = children.start('peerhost', ['dev', '--json', ...args], { cwd: ROOT, onLine })
    child.once('error', fail)
    child.once('close', (code) => {
      void stop(1, `the network ended (${code ?? 'by a signal'}):\n${said.slice(-20).join('\n')}`)
    })
  })
}

async function mustRun(command: string, args: string[], options: Parameters<Children['run']>[2]): Promise<string> {
  const { code, stdout, stderr } = await children.run(command, args, options)
  if (code !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${code}:\n${stdout}${stderr}`)
  return stdout
}

async function demo(): Promise<void> {
  say('PeerHost: serverless functions on independent, staked workers, paid per request, each answer with a receipt.')

  heading('A whole PeerHost network on this machine (peerhost dev)')
  let start = performance.now()
  const { file, network } = await startNetwork()
  const env = { ...process.env, PEERHOST_NETWORK_FILE: file }
  const { developer, payer } = network.accounts
  row('chain', `${network.rpcUrl} (chain id ${network.chainId}), with contracts and test USDC`)
  row('gateway', `${network.gatewayUrl}, which is also the IPFS store`)
  row('workers', `${Object.keys(network.pids.workers).length}, staked on the chain, functions jailed by nsjail`)
  row('ready in', since(start))

  heading('An existing Serverless project goes there: provider: peerhost, then serverless deploy (examples/)')
  start = performance.now()
  await mustRun('serverless', ['deploy'], {
    cwd: join(ROOT, 'examples'),
    env,
    onLine: (line) => line.trim() !== '' && say(`   | ${line}`),
  })
  row('deployed in', since(start))

  const base = `${network.gatewayUrl}/run/${developer.address}/${PROJECT}`
  heading('A free function: anyone calls it, as any URL')
  const free = await fetch(`${base}${FREE_PATH}`)
  row(`GET ${FREE_PATH}`, `${free.status} ${await free.text()}`)
  if (free.status !== 200) throw new Error('the free call failed')

  heading('A function with a price: without payment it is refused')
  const refused = await fetch(`${base}${PAID_PATH}`)
  const { accepts } = readRequirements(refused.headers.get('payment-required'), await refused.text())
  row(`GET ${PAID_PATH}`, `${refused.status} Payment Required (x402)`)
  row('it asks for', `${usdc(BigInt(accepts.amount))} to ${accepts.payTo}`)
  if (refused.status !== 402) throw new Error('the call without payment was not refused')

  heading('The same call, paid (peerhost call)')
  const { before, paid, swept, receipt } = ledger(network)
  const start5 = await before(accepts.payTo)
  const saved = join(scratch, 'receipt.json')
  start = performance.now()
  const body = await mustRun('peerhost', ['call', `${base}${PAID_PATH}`, '--save', saved], { cwd: ROOT, env })
  row(`GET ${PAID_PATH}`, body.trim())
  const { payerChange, intake } = await paid(start5)
  const { gateway, worker, price } = receipt(saved)
  row('price', usdc(price))
  row("payer's change", usdc(payerChange))
  row("account's intake", usdc(intake))
  row('worker', worker)
  row('took', since(start))

  heading('The receipt, checked by anyone (peerhost verify), until its batch is anchored on the chain')
  start = performance.now()
  let report = await mustRun('peerhost', ['verify', saved], { cwd: ROOT, env })
  while (/not yet anchored/i.test(report)) {
    if (performance.now() - start > 120_000) throw new Error(`the batch was not anchored:\n${report}`)
    await delay(1000)
    report = await mustRun('peerhost', ['verify', saved], { cwd: ROOT, env })
  }
  for (const line of report.trim().split('\n')) say(`   | ${line}`)
  row('receipt', `verified, anchored after ${since(start)}`)

  heading('Who gets the money: anyone may sweep the account, the contract divides it')
  const shares = await swept(gateway, developer.address)
  row("developer's share", `${usdc(shares.toOwner)} (70 %), his at once`)
  row("gateway's share", `${usdc(shares.toGateway)} (5 %)`)
  row("workers' pot", `${usdc(shares.toPot)} (20 %), claimed with receipts`)
  row('audit pool', `${usdc(shares.toPool)} (5 %)`)
  say(
    `\nPayer ${payer.address} paid developer ${developer.address} for one request; no account, no server, no invoice.`,
  )
  if (free.headers.get('peerhost-receipt') === null) throw new Error('the free call had no receipt')
}

/** The first payment requirement of a 402, from its header or its JSON body. */
function readRequirements(header: string | null, body: string): { accepts: { amount: string; payTo: string } } {
  const { accepts } = JSON.parse(header === null ? body : Buffer.from(header, 'base64').toString())
  const [{ amount, maxAmountRequired, payTo }] = accepts
  return { accepts: { amount: amount ?? maxAmountRequired, payTo } }
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  // Ctrl-C is how a network that was kept is meant to end.
  process.on(signal, () => void stop(kept ? 0 : 130, `${signal}: the network is stopped.`))
}

try {
  await demo()
  if (keep) {
    kept = true
    say(`\nThe network stays up. In examples/ try ../scripts/with serverless info. Ctrl-C stops it.`)
  } else {
    await stop(0, `Done in ${since(began)}; the network is stopped.`)
  }
} catch (error) {
  await stop(1, (error as Error).message)
}
