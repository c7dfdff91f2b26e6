import { mkdir, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { NETWORKS, networkByName, PeerHostError, toPeerHostError } from '@peerhost/protocol'
import { FetchRequest, JsonRpcProvider, Network, type Signer, Wallet } from 'ethers'
import { toChainError } from './chain-error.ts'
import { deployContracts } from './deploy-contracts.ts'
import { placeTestUsdc } from './place-test-usdc.ts'

/** Deploys the contracts and writes their addresses to contracts/deployments/<network>.json (or --out FILE).
 *
 *   PEERHOST_RPC_URL=... PEERHOST_PRIVATE_KEY=... node contracts/src/deploy.ts --network amoy
 *
 * On the local network the node's first account signs where there is no key, and the test USDC is placed.
 */
async function main(argv: string[], env: NodeJS.ProcessEnv): Promise<void> {
  const { values } = parseArgs({
    args: argv,
    options: { network: { type: 'string', default: env.PEERHOST_NETWORK ?? 'local' }, out: { type: 'string' } },
  })
  const { name: network, chainId } = networkByName(values.network)
  const url = env.PEERHOST_RPC_URL ?? (network === 'local' ? 'http://127.0.0.1:8545' : undefined)
  if (!url) throw new PeerHostError('PH_CHAIN_UNREACHABLE', { url: '', detail: 'PEERHOST_RPC_URL is not set' })
  const out = values.out ?? fileURLToPath(new URL(`../deployments/${network}.json`, import.meta.url))

  const provider = await connect(url, chainId)
  try {
    const signer = await signerFor(provider, env.PEERHOST_PRIVATE_KEY, network === 'local')
    if (network === 'local') await placeTestUsdc(provider)
    const { addresses, ...result } = await deployContracts({ signer, network })
    const file = {
      network,
      chainId: NETWORKS[network].chainId,
      deployer: await signer.getAddress(),
      contracts: addresses,
      ...result,
    }
    await mkdir(dirname(out), { recursive: true })
    await writeFile(
      out,
      `${JSON.stringify(file, (_, value) => (typeof value === 'bigint' ? String(value) : value), 2)}\n`,
    )
    for (const [contract, address] of Object.entries(addresses)) console.log(`${contract} ${address}`)
    console.error(`written to ${out}`)
  } catch (error) {
    throw toChainError(error, { url })
  } finally {
    provider.destroy()
  }
}

/** ethers repeats its first question for ever where nobody answers: so ask once ourselves. */
async function connect(url: string, expected: number): Promise<JsonRpcProvider> {
  const request = new FetchRequest(url)
  request.timeout = 10_000
  request.body = { jsonrpc: '2.0', id: 1, method: 'eth_chainId', params: [] }
  const answer = await request.send().then(
    (response) => response.bodyJson as { result?: string },
    (cause: Error) => {
      throw new PeerHostError('PH_CHAIN_UNREACHABLE', { url, detail: cause.message }, { cause })
    },
  )
  const actual = Number(answer.result)
  if (actual !== expected) {
    throw new PeerHostError('PH_CHAIN_WRONG_NETWORK', { url, actual: String(actual), expected: String(expected) })
  }
  return new JsonRpcProvider(url, expected, { staticNetwork: Network.from(expected), pollingInterval: 250 })
}

async function signerFor(provider: JsonRpcProvider, key: string | undefined, local: boolean): Promise<Signer> {
  if (!key && local) return provider.getSigner(0)
  if (!key) throw new PeerHostError('PH_CONFIG_KEY_MISSING', {})
  try {
    return new Wallet(key, provider)
  } catch {
    // No cause: ethers would repeat the key in its message.
    throw new PeerHostError('PH_CONFIG_KEY_INVALID', {})
  }
}

try {
  await main(process.argv.slice(2), process.env)
} catch (error) {
  const { message, hint } = toPeerHostError(error)
  console.error(`${message}\n${hint}`)
  process.exitCode = 1
}
