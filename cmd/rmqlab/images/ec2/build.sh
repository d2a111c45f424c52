# $1: the layer's root
# Descriptions of services are most of the image; these are what moto's EC2 asks for.
data=$1/usr/lib/python3/dist-packages/botocore/data
for dir in "$data"/*/; do
	case $(basename "$dir") in
	autoscaling | cloudformation | ec2 | elb | elbv2 | iam | kms | ssm | sts) ;;
	*) rm -rf "$dir" ;;
	esac
done
rm -rf "$1/usr/share/python3" "$1/usr/lib/python3.13/test" "$1/usr/lib/python3.13/ensurepip" \
	"$1/usr/lib/python3.13/idlelib" "$1/usr/share/python-wheels" "$1/etc/init.d"
mkdir -p "$1/var/lib/ec2"
