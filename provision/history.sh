# Keeps the record of a run on one manager. Arguments: the folder of the cluster's history, the run's
# id, the bytes on stdin, the most bytes of earlier records to keep. Stdin: the record, and on a second
# line its head. Each file is made whole beside the old one and then takes its name, so that whoever is
# killed here leaves the old one. A record takes the place of an earlier one of the same run.
umask 077
dir=$1 run=$2 size=$3 keep=$4
mkdir -p "$dir" && cd "$dir" || exit
rm -f .new.*
cat >.new.in || exit
[ "$(wc -c <.new.in)" -eq "$size" ] || { echo 'the record was cut off on its way' >&2; exit 1; }
earlier() {
  [ -f history.jsonl ] || return 0
  if [ "$(wc -c <history.jsonl)" -gt "$keep" ]; then tail -c "$keep" history.jsonl | sed 1d; else cat history.jsonl; fi
}
# dd, since it is everywhere what syncs one file and no more.
{ earlier | sed "/^{\"run\":\"$run\",/d"; sed -n 1p .new.in; } | dd of=.new.history conv=fsync status=none && mv .new.history history.jsonl || exit
sed -n 2p .new.in | dd of=.new.last conv=fsync status=none && mv .new.last last.json || exit
rm .new.in
