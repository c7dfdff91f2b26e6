import { type Hex, PeerHostError } from '@peerhost/protocol'
import { FetchRequest, JsonRpcProvider, Network } from 'ethers'

export interface ConnectChainOptions {
  rpcUrl: string
  chainId: number
  /** Milliseconds that one call may take. */
  timeoutMs?: number
}

export interface Chain {
  provider: JsonRpcProvider
  rpcUrl: string
  chainId: number
  /** Hash of block 0: tells one chain from another of the same id. */
  genesisHash(): Promise<Hex>
  close(): void
}

/**
 * Connects to a node and checks that it is of the right chain. Throws PH_CHAIN_UNREACHABLE or PH_CHAIN_WRONG_NETWORK.
 *
 * @example const chain = await connectChain({ rpcUrl: 'http://127.0.0.1:8545', chainId: 84532 })
 */
export async function connectChain({ rpcUrl, chainId, timeoutMs = 20_000 }: ConnectChainOptions): Promise<Chain> {
  const request = new FetchRequest(rpcUrl)
  request.timeout = timeoutMs
  const network = Network.from(chainId)
  // One call a request: batches make a slow call hold up the others, and some public nodes refuse them.
  const provider = new JsonRpcProvider(request, network, { staticNetwork: network, batchMaxCount: 1, cacheTimeout: -1 })
  let actual: number
  try {
    actual = Number(await provider.send('eth_chainId', []))
  } catch (cause) {
    provider.destroy()
    throw new PeerHostError('PH_CHAIN_UNREACHABLE', { url: hostOf(rpcUrl), detail: reasonOf(cause) }, { cause })
  }
  if (actual !== chainId) {
    provider.destroy()
    throw new PeerHostError('PH_CHAIN_WRONG_NETWORK', { url: hostOf(rpcUrl), actual, expected: chainId })
  }
  return {
    provider,
    rpcUrl,
    chainId,
    async genesisHash() {
      const block = (await provider.send('eth_getBlockByNumber', ['0x0', false])) as { hash: Hex } | null
      if (!block) throw new PeerHostError('PH_CHAIN_UNREACHABLE', { url: hostOf(rpcUrl), detail: 'it has no block 0' })
      return block.hash
    },
    close: () => provider.destroy(),
  }
}

/** A node's host: its path or user may be a secret of the provider's account, which logs and answers must not show. */
export function hostOf(url: string): string {
  return URL.canParse(url) ? new URL(url).host : 'the node'
}

/** The short reason of an ethers error, or what the node answered; its own message holds whole transactions. */
export function reasonOf(error: unknown): string {
  const {
    shortMessage,
    message,
    code,
    error: inner,
  } = error as Partial<Record<'shortMessage' | 'message', string>> & {
    code?: string
    error?: { message?: unknown }
  }
  const said = code === 'UNKNOWN_ERROR' && typeof inner?.message === 'string' ? inner.message : undefined
  return (said || shortMessage || message || code || String(error)).slice(0, 300)
}
