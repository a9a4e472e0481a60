"""Reading files of datasets: pictures, depth, cameras, lists; what loaders share."""
