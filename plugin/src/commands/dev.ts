import { PeerHostError } from '@peerhost/protocol'
import { FunctionWatcher } from '../bundle/watch-functions.ts'
import type { ServiceConfig } from '../config/types.ts'
import { connectNetwork } from '../deploy/connect-network.ts'
import { openProver } from '../deploy/prove-functions.ts'
import { watchConfigFiles } from '../dev/config-files.ts'
import { complain, DevDeployer } from '../dev/dev-deployer.ts'
import { followLogs } from '../dev/follow-logs.ts'
import { reachNetwork } from '../dev/reach-network.ts'
import { isConfigReader, readConfig, sendConfig } from '../dev/read-config.ts'
import type { PeerHostProvider } from '../provider.ts'
import type { CommandPart } from './commands.ts'

/** `serverless dev`: the local network with this service on it, deployed again whenever its sources or serverless.yml change. */
export function devCommand(provider: PeerHostProvider): CommandPart {
  return {
    commands: {
      dev: {
        usage: 'Run the service on a local network, deploy what changes, show requests',
        lifecycleEvents: ['dev'],
        options: { port: { usage: 'Port of the gateway, if a network is started', type: 'string' } },
      },
    },
    hooks: { 'dev:dev': () => (isConfigReader() ? sendConfig(provider) : dev(provider)) },
  }
}

/** Milliseconds. npx passes on a Ctrl-C that its child has from the terminal, too: two signals so close are one. */
const SAME_KEYSTROKE = 1_000

/** Ends with the first of Ctrl-C, TERM, HUP; a later one does not wait for anything. */
function stopController(): AbortController {
  const controller = new AbortController()
  let stopping: number | undefined
  const stop = () => {
    if (stopping !== undefined && performance.now() - stopping > SAME_KEYSTROKE) process.exit(130)
    stopping ??= performance.now()
    controller.abort()
  }
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, stop)
  return controller
}

const sourcesOf = ({ functions }: ServiceConfig) => functions.map(({ name, handler }) => ({ name, handler }))

async function dev(provider: PeerHostProvider): Promise<void> {
  const { serverless, utils } = provider
  const { serviceDir } = serverless
  let config = provider.config()
  provider.warn()
  const ending = stopController()
  const { signal } = ending
  const stopped = new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
  const closers: (() => Promise<void> | void)[] = []
  try {
    const { options, own } = await reachNetwork(provider, signal)
    closers.unshift(() => own?.stop())
    const connection = await connectNetwork(options)
    closers.unshift(() => connection.chain.close())
    const { project, stage, network } = config
    const { owner, gateway } = connection
    const prover = await openProver({ owner, project, gateway, quick: true, onLog: (line) => utils.log.info(line) })
    closers.unshift(() => prover.close())

    const deployer = new DevDeployer(utils, connection, prover, config)
    closers.unshift(() => deployer.idle())
    const watcher = new FunctionWatcher(serviceDir, sourcesOf(config), (bundles) => deployer.take(bundles))
    closers.unshift(() => watcher.close())

    /** One reading after the other; what changes meanwhile is read once more. */
    let reading: Promise<void> | undefined
    let again = false
    const reread = async () => {
      do {
        again = false
        try {
          const next = await readConfig(serviceDir, signal)
          for (const line of next.warnings) if (!config.warnings.includes(line)) utils.log.warning(line)
          if (next.project !== project || next.stage !== stage || next.network !== network)
            throw new PeerHostError('PH_CONFIG_INVALID', {
              detail: 'service, stage or network are others now: start `serverless dev` again for that',
            })
          config = next
          deployer.configure(config)
          watcher.update(sourcesOf(config))
        } catch (error) {
          if (!signal.aborted) complain(utils, error)
        }
      } while (again && !signal.aborted)
      reading = undefined
    }
    const unwatch = watchConfigFiles(serviceDir, serverless.configurationFilename, () => {
      again = true
      reading ??= reread()
    })
    closers.unshift(async () => {
      unwatch()
      await reading
    })

    const lost = own?.ended.then(() => {
      if (!signal.aborted) throw new PeerHostError('PH_DEV_START_FAILED', { detail: 'the local network ended' })
    })
    const functions = () => config.functions.map(({ name }) => name)
    const logs = followLogs({ connection, project, functions, utils, signal })
    closers.unshift(() => logs)
    utils.log.notice('Watching the sources and serverless.yml; Ctrl-C stops')
    await Promise.race([stopped, ...(lost ? [lost] : [])])
  } catch (error) {
    // whoever stops it while it starts does not want to read why it could not start
    if (!signal.aborted) throw error
  } finally {
    ending.abort()
    for (const close of closers) await close()
  }
}
