# What only the tests need. Sourced by scripts/test after setup.sh.

# use_serverless_versions: the other releases of the Serverless Framework that the plugin is tested with.
use_serverless_versions() {
  local folder
  for folder in "$PEERHOST_ROOT"/test/serverless-versions "$PEERHOST_ROOT"/test/serverless-versions/*/; do
    [ -f "$folder/package-lock.json" ] || continue
    use_packages "${folder%/}" "packages of ${folder#"$PEERHOST_ROOT/"}" || return 1
  done
}

fetch_chromium() {
  export DEBIAN_FRONTEND=noninteractive
  as_root apt-get update && as_root apt-get install -y --no-install-recommends chromium && command -v chromium
}

# use_chromium FILE...: Debian's chromium as PEERHOST_CHROMIUM, if one of the test files is for the browser.
use_chromium() {
  local name
  case " $* " in *browser*) ;; *) return 0 ;; esac
  for name in "${PEERHOST_CHROMIUM:-}" chromium chromium-browser google-chrome; do
    [ -z "$name" ] || ! command -v "$name" >/dev/null || break
    name=
  done
  if [ -z "$name" ]; then
    step 'chromium by apt' 'the browser test needs Chromium: install it, or set PEERHOST_CHROMIUM to its path, then run this again' \
      fetch_chromium
    name=chromium
  fi
  PEERHOST_CHROMIUM=$(command -v "$name")
  export PEERHOST_CHROMIUM
}
