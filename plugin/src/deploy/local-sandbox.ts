import { isPeerHostError, PeerHostError } from '@peerhost/protocol'
import type { Sandbox, SandboxOptions } from '@peerhost/sandbox'

/** The sandbox's package is an optional peer: it works on Linux only, and deploying does without it. */
async function load(): Promise<typeof import('@peerhost/sandbox') | undefined> {
  try {
    return await import('@peerhost/sandbox')
  } catch (error) {
    const { code } = error as { code?: string }
    if (code === 'ERR_MODULE_NOT_FOUND' || code === 'MODULE_NOT_FOUND') return undefined
    throw error
  }
}

/** A sandbox on this machine together with what its package can do, or why there is none. */
export type LocalSandbox = { sandbox: Sandbox; tools: typeof import('@peerhost/sandbox') } | { unavailable: Error }

/** Starts the sandbox that workers use, if it works here. Whoever gets one closes it. */
export async function openLocalSandbox(options: SandboxOptions): Promise<LocalSandbox> {
  const tools = await load()
  if (!tools)
    return {
      unavailable: new PeerHostError('PH_SANDBOX_UNAVAILABLE', { detail: '@peerhost/sandbox is not installed' }),
    }
  try {
    return { sandbox: await tools.createSandbox({ cgroups: 'auto', ...options }), tools }
  } catch (error) {
    if (isPeerHostError(error, 'PH_SANDBOX_UNAVAILABLE')) return { unavailable: error }
    throw error
  }
}
