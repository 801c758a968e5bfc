#!/bin/sh
# Signs the app and packs it into a disk image: make-dmg.sh APP ENTITLEMENTS DMG VOLUME
# With CODESIGN_IDENTITY it is signed for others' machines, with NOTARY_PROFILE (a profile that notarytool has
# stored in the keychain) also notarized; without, it is signed ad hoc and opens after a right click > Open.
set -eu
app=$1 entitlements=$2 dmg=$3 volume=$4
identity=${CODESIGN_IDENTITY:--}
stamp=--timestamp # of Apple's server, which notarization asks for; nobody gives one to an ad-hoc signature
if [ "$identity" = - ]; then stamp=--timestamp=none; fi

find "$app/Contents" -type f \( -name '*.dylib' -o -name '*.so' \) -print0 |
    xargs -0 -n 20 codesign --force --options runtime "$stamp" --sign "$identity"
codesign --force --options runtime "$stamp" \
    --entitlements "$entitlements" --sign "$identity" "$app"
codesign --verify --deep --strict "$app"

stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
cp -R "$app" "$stage/"
ln -s /Applications "$stage/Applications"
rm -f "$dmg"
hdiutil create -volname "$volume" -srcfolder "$stage" -fs HFS+ -format UDZO -imagekey zlib-level=9 "$dmg"

if [ -n "${NOTARY_PROFILE:-}" ]; then
    xcrun notarytool submit "$dmg" --keychain-profile "$NOTARY_PROFILE" --wait
    xcrun stapler staple "$dmg"
fi
